import type { JobStorage } from '@q/core/storage'
import type { ScratchStorage } from '../suite/scratch.ts'
import { TcpProxy } from './tcp-proxy.ts'
import type { Fate } from './unreliable.ts'
import { unreliable } from './unreliable.ts'

/** A way to a storage on which messages are lost, held and cut: of whole calls, or of bytes. */
export interface Line extends AsyncDisposable {
  readonly carries: 'calls' | 'bytes'
  readonly storage: JobStorage
  /** How often a planned fault has struck. */
  readonly struck: number
  /** One message, after `skip` others, never arrives. */
  loseRequest(skip?: number): void
  loseReply(skip?: number): void
  /** Requests stay on the way until `release`; whoever sent them has given up then. */
  hold(): Held
  /** The line breaks at a place that depends on this number, soon. */
  breakAt(random: number): void
  /** As if the cable were out: every call is lost until `heal`. */
  unplug(): void
  heal(): void
}

export interface Held {
  /** Lets the senders give up; what they sent stays on the way. Resolves when something is on the way. */
  abandon(): Promise<void>
  /** What was on the way arrives. Resolves when the storage has dealt with it. */
  release(): Promise<void>
}

/** Faults between the caller and the storage's methods: the same for every storage. */
export function lineOverWrapper(storage: JobStorage): Line {
  let plan: () => Fate = () => 'pass'
  let struck = 0
  const once = (fate: Fate, skip: number): void => {
    let left = skip
    plan = () => {
      if (left-- > 0) return 'pass'
      plan = () => 'pass'
      struck++
      return fate
    }
  }
  return {
    carries: 'calls',
    storage: unreliable(storage, () => plan()),
    get struck() {
      return struck
    },
    loseRequest: (skip = 0) => once('lose-request', skip),
    loseReply: (skip = 0) => once('lose-reply', skip),
    hold() {
      const opened = Promise.withResolvers<void>()
      const arrivals: Promise<unknown>[] = []
      plan = () => {
        const arrived = Promise.withResolvers<unknown>()
        arrivals.push(arrived.promise)
        return { late: opened.promise, arrived: arrived.resolve }
      }
      return {
        async abandon() {
          plan = () => 'pass'
        },
        async release() {
          plan = () => 'pass'
          opened.resolve()
          await Promise.all(arrivals)
        },
      }
    },
    breakAt(random) {
      const skip = Math.floor(random * 1_000) % 2
      once(random < 0.5 ? 'lose-request' : 'lose-reply', skip)
    },
    unplug() {
      plan = () => 'lose-request'
    },
    heal() {
      plan = () => 'pass'
    },
    [Symbol.asyncDispose]: async () => {},
  }
}

/** Faults in the bytes between the driver and its server. */
export async function lineOverProxy(network: NonNullable<ScratchStorage['network']>): Promise<Line> {
  const proxy = await TcpProxy.open(network)
  const storage = network.via({ host: proxy.host, port: proxy.port })
  await storage.start()
  return {
    carries: 'bytes',
    storage,
    get struck() {
      return proxy.struck
    },
    loseRequest: (skip) => proxy.loseRequest(skip),
    loseReply: (skip) => proxy.loseReply(skip),
    hold() {
      proxy.hold()
      return {
        async abandon() {
          while (!proxy.holding) await new Promise((resolve) => setImmediate(resolve))
          proxy.abandon()
        },
        release: () => proxy.release(),
      }
    },
    // Within the bytes of one small exchange, however tersely a storage speaks.
    breakAt: (random) => proxy.cutAfter(Math.floor(random * 1_000), random < 0.3 ? 'requests' : 'replies'),
    unplug: () => proxy.blackHole(),
    heal: () => proxy.heal(),
    async [Symbol.asyncDispose]() {
      proxy.heal()
      await storage.close()
      await proxy[Symbol.asyncDispose]()
    },
  }
}
