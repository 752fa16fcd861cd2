import type { Capabilities, JobStorage, Topic, Watch } from '@q/core/storage'
import { QError } from '@q/core/storage'
import type { Random } from '../differential/random.ts'
import type { ManualClock } from '../manual-clock.ts'
import type { SimulatedProcess } from './process.ts'

/** What can go wrong with one message. */
export const messageFaults = ['lost request', 'lost reply', 'late request', 'duplicate', 'refused'] as const
export type MessageFault = (typeof messageFaults)[number]

/** One call as it reaches the storage. */
export interface Arrival {
  readonly process: SimulatedProcess
  readonly room: string
  readonly method: string
  readonly args: readonly unknown[]
}

export interface NetworkOptions {
  readonly time: ManualClock
  readonly random: Random
  readonly storage: JobStorage
  readonly capabilities: Partial<Capabilities>
  /** Calls the storage, and looks at what it did. */
  readonly meet: (arrival: Arrival, call: () => Promise<unknown>) => Promise<unknown>
}

/** A caller that heard nothing for so long gives up: the call may or may not have been made. */
const patienceMs = 600

/** Between the processes and their storage: takes its time, and loses, repeats and delays what it carries. */
export class Network {
  /** How likely each message is to meet a fault. */
  faultiness = 0
  /** Every request waits so long in front of the storage. */
  slownessMs = 0
  readonly struck: Map<MessageFault, number> = new Map()
  readonly #options: NetworkOptions
  readonly #planned: MessageFault[] = []
  readonly #cutOff = new Set<SimulatedProcess>()

  constructor(options: NetworkOptions) {
    this.#options = options
  }

  /** The next call that changes something meets this fault. */
  plan(fault: MessageFault): void {
    this.#planned.push(fault)
  }

  /** Nothing goes to or comes from this process until `heal`. */
  cutOff(process: SimulatedProcess): void {
    this.#cutOff.add(process)
  }

  heal(process?: SimulatedProcess): void {
    if (process === undefined) this.#cutOff.clear()
    else this.#cutOff.delete(process)
  }

  isCutOff(process: SimulatedProcess): boolean {
    return this.#cutOff.has(process)
  }

  /** The storage as one process has it. */
  connect(process: SimulatedProcess): JobStorage {
    const { storage, capabilities } = this.#options
    const room = <Room extends object>(name: string, methods: Room): Room =>
      Object.fromEntries(
        Object.keys(methods)
          .filter((method) => method !== 'createSync')
          .map((method) => [
            method,
            (...args: readonly unknown[]) => this.#call({ process, room: name, method, args }),
          ]),
      ) as Room
    return {
      label: `${storage.label} over a network`,
      capabilities: { ...storage.capabilities, ...capabilities, syncCreate: false },
      jobs: room('jobs', storage.jobs),
      work: room('work', storage.work),
      upkeep: room('upkeep', storage.upkeep),
      recurring: room('recurring', storage.recurring),
      locks: room('locks', storage.locks),
      queues: room('queues', storage.queues),
      monitor: room('monitor', storage.monitor),
      wakeups: { watch: (topics, wake) => this.#watch(process, topics, wake) },
      start: async () => void (await this.#call({ process, room: '', method: 'start', args: [] })),
      close: async () => {},
      [Symbol.asyncDispose]: async () => {},
    }
  }

  #call(arrival: Arrival): Promise<unknown> {
    const { time, random } = this.#options
    const { process } = arrival
    const isRead =
      arrival.room === 'monitor' || arrival.room === '' || arrival.method === 'due' || arrival.method === 'runs'
    return new Promise((resolve, reject) => {
      if (!process.isAlive) return
      let isOver = false
      const over = (end: () => void): void =>
        process.deliver(() => {
          if (isOver) return
          isOver = true
          patience.cancel()
          end()
        })
      const patience = time.timer(patienceMs, () => over(() => reject(isRead ? unavailable() : ambiguous())))
      const send = (delayMs: number, losesReply: boolean): void => {
        time.timer(delayMs + this.slownessMs, () => {
          if (this.#cutOff.has(process)) return
          void this.#arrive(arrival).then((settle) => {
            if (losesReply) return
            time.timer(this.#latency(), () => {
              if (!this.#cutOff.has(process)) over(() => settle(resolve, reject))
            })
          })
        })
      }
      switch (this.#faultOf(isRead)) {
        case 'lost request':
          return
        case 'refused':
          time.timer(this.#latency(), () => over(() => reject(unavailable())))
          return
        case 'lost reply':
          return send(this.#latency(), true)
        case 'late request':
          return send(patienceMs + random.int(100, 8_000), true)
        case 'duplicate':
          send(this.#latency(), random.chance(0.5))
          return send(random.int(1, 400), random.chance(0.3))
        case undefined:
          return send(this.#latency(), false)
      }
    })
  }

  async #arrive(
    arrival: Arrival,
  ): Promise<(resolve: (value: unknown) => void, reject: (error: unknown) => void) => void> {
    const { storage, meet } = this.#options
    const { room, method, args } = arrival
    const target: object = room === '' ? storage : Reflect.get(storage, room)
    const call = async (): Promise<unknown> => Reflect.get(target, method).apply(target, args)
    try {
      const value = await meet(arrival, call)
      return (resolve) => resolve(value)
    } catch (error) {
      return (_resolve, reject) => reject(error)
    }
  }

  #latency(): number {
    const { random } = this.#options
    return random.chance(0.9) ? random.int(0, 3) : random.int(4, 60)
  }

  #faultOf(isRead: boolean): MessageFault | undefined {
    const { random } = this.#options
    const planned = isRead ? undefined : this.#planned.shift()
    const fault = planned ?? (random.chance(this.faultiness) ? random.pick(messageFaults) : undefined)
    if (fault !== undefined && !isRead) this.struck.set(fault, (this.struck.get(fault) ?? 0) + 1)
    return fault
  }

  /** Hints are lost and late too. */
  async #watch(process: SimulatedProcess, topics: readonly Topic[], wake: () => void): Promise<Watch> {
    const { time, random, storage, capabilities } = this.#options
    await this.#call({ process, room: '', method: 'start', args: [] })
    if (capabilities.push === false) return { close: async () => {} }
    const hint = (): void => {
      if (this.#cutOff.has(process) || random.chance(this.faultiness)) return
      time.timer(this.#latency(), () => process.deliver(wake))
    }
    const watch = await storage.wakeups.watch(topics, hint)
    process.onDeath(() => void watch.close())
    return watch
  }
}

function unavailable(): QError {
  return new QError('Q_STORAGE_UNAVAILABLE', 'The storage did not take the call: nothing was changed.')
}

function ambiguous(): QError {
  return new QError('Q_AMBIGUOUS', 'No answer came: the call may or may not have been made.')
}
