import type {
  Claim,
  ClaimedJob,
  Edge,
  Exchange,
  Gate,
  JobId,
  JobQuery,
  NewJob,
  Note,
  Phase,
  Session,
  SessionId,
  StateInput,
  Transition,
} from '@q/core/storage'
import { finalPhases, phases } from '@q/core/storage'
import { farMs } from '../suite/context.ts'
import { states } from '../suite/records.ts'
import type { Random } from './random.ts'

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
/** So far away that it never comes while a seed runs. */
const never = 40_000_000_000

export interface WorldSession {
  readonly id: SessionId
  readonly server: string
  /** A mortal one is lost whenever somebody recovers; a lasting one never. */
  readonly mortal: boolean
  call: number
  alive: boolean
  held: ClaimedJob[]
  spent: ClaimedJob[]
}

/** What a client of these storages knows, and what it might think of next. Everything in it follows from the seed. */
export class World {
  readonly random: Random
  readonly seed: number
  readonly queues: readonly string[]
  readonly jobs: JobId[] = []
  readonly sessions: WorldSession[] = []
  readonly schedules: readonly string[]
  readonly #commands: Transition[] = []
  /** Whether any job so far goes through a gate. */
  hasGates = false
  /** What was asked so far: jobs to create, transitions, notes, claims, and everything else that is one call. */
  asked = 0
  #ids = 0

  constructor(seed: number, random: Random) {
    this.seed = seed
    this.random = random
    this.queues = ['a', 'b', 'c'].map((name) => `${name}-${seed}`)
    this.schedules = ['x', 'y'].map((name) => `${name}-${seed}`)
  }

  get living(): WorldSession[] {
    return this.sessions.filter(({ alive }) => alive)
  }

  newId(): JobId {
    let id = ''
    for (let left = this.seed * 1_000_000 + ++this.#ids; id.length < 14; left = Math.floor(left / 32)) {
      id = alphabet[left % 32]! + id
    }
    for (let n = 0; n < 12; n++) id += alphabet[this.random.int(0, 31)]
    return id
  }

  /** One that is known, or rarely one that nobody ever saw. */
  someId(): JobId {
    return this.jobs.length === 0 || this.random.chance(0.03) ? this.newId() : this.random.pick(this.jobs.slice(-40))
  }

  newJob(): NewJob {
    const { random } = this
    this.asked++
    const known = random.chance(0.06) && this.jobs.length > 0
    const id = known ? random.pick(this.jobs) : this.newId()
    if (!known) this.jobs.push(id)
    return {
      id,
      queue: random.pick(this.queues),
      name: random.pick(['mail.send', 'report', 'ü "x"']),
      version: random.int(1, 2),
      payload: random.chance(0.2) ? new Uint8Array([random.int(0, 255), 0]) : `{"n":${random.int(0, 99)}}`,
      ...this.#maybe(0.1, () => ({ preview: `p${random.int(0, 9)}` })),
      ...this.#maybe(0.3, () => ({ priority: random.chance(0.04) ? -1 : random.pick([0, 1, 100, 65_535]) })),
      ...this.#first(),
      ...this.#maybe(0.12, () => ({ unique: this.#unique() })),
      ...this.#maybe(0.15, () => ({ gates: this.#gates() })),
      ...this.#maybe(0.2, () => ({ params: { k: String(random.int(0, 3)) } })),
      ...this.#maybe(0.2, () => ({ tags: random.some(['red', 'green', 'blue'], random.int(1, 2)) })),
      ...this.#maybe(0.2, () => ({ keep: { succeeded: 0, deleted: null, failed: random.chance(0.5) ? 0 : null } })),
      ...this.#maybe(0.2, () => ({ crashLimit: random.int(1, 2) })),
      ...this.#maybe(0.1, () => ({ expires: never })),
      ...this.#maybe(0.2, () => ({ by: 'client' })),
    }
  }

  newSession(): WorldSession {
    const session: WorldSession = {
      id: this.newId(),
      server: `server-${this.sessions.length}`,
      mortal: this.random.chance(0.35),
      call: 0,
      alive: true,
      held: [],
      spent: [],
    }
    this.sessions.push(session)
    return session
  }

  exchange(session: WorldSession): Exchange {
    const { random } = this
    const apply = random.some(session.held, random.int(0, 4)).map((claimed) => this.#ending(claimed))
    if (apply.length > 0 && random.chance(0.08)) apply.push(this.#ending(random.pick(session.held)))
    if (session.spent.length > 0 && random.chance(0.12)) apply.push(this.#ending(random.pick(session.spent)))
    const dead = this.sessions.find((other) => !other.alive && other.held.length > 0)
    if (dead && random.chance(0.2)) apply.push(this.#ending(random.pick(dead.held)))
    return {
      session: session.id,
      call: session.call > 0 && random.chance(0.04) ? session.call : ++session.call,
      apply,
      ...this.#maybe(0.3, () => ({ notes: this.#notes(session) })),
      ...this.#maybe(0.85, () => ({ claim: this.#claim() })),
    }
  }

  /** What a client would ask about after losing the reply of its last call; sometimes about nothing it ever sent. */
  reconciled(session: WorldSession): readonly Transition[] {
    const asked = [...session.held, ...session.spent.slice(-4)]
    return this.random.some(asked, 3).map((claimed) => this.#ending(claimed))
  }

  command(): Transition {
    const { random } = this
    this.asked++
    if (this.#commands.length > 0 && random.chance(0.1)) return random.pick(this.#commands.slice(-12))
    const to = random.weighted<StateInput>([
      [5, states.enqueued],
      [2, states.scheduled],
      [4, { ...states.deleted, reason: 'by hand' }],
      [1, states.failed],
    ])
    const made: Transition = {
      id: this.someId(),
      from: random.chance(0.1) ? [{ state: 'enqueued' }] : random.some(phases, random.int(3, phases.length)),
      command: `command-${this.seed}-${random.int(0, 1e9)}`,
      by: 'operator',
      to,
      ...(to.phase === 'scheduled' ? { delay: never } : {}),
      ...this.#maybe(0.3, () => ({ force: true })),
      ...this.#maybe(0.3, () => ({ grace: 1_000 })),
      ...this.#maybe(0.3, () => ({ attempt: random.pick(['reset', 'count'] as const) })),
      ...this.#maybe(0.15, () => ({ queue: random.pick(this.queues) })),
      ...this.#maybe(0.15, () => ({ priority: random.int(0, 200) })),
      ...this.#maybe(0.1, () => ({ params: { k: null, j: 'new' } })),
      ...this.#maybe(0.1, () => ({ create: [this.newJob()] })),
    }
    this.#commands.push(made)
    return made
  }

  query(): JobQuery {
    const { random } = this
    return {
      queue: random.some(this.queues, random.int(1, 3)),
      ...this.#maybe(0.5, () => ({ phase: random.some<Phase>(phases, random.int(1, 4)) })),
      ...this.#maybe(0.2, () => ({ name: [random.pick(['mail.send', 'report'])] })),
      ...this.#maybe(0.2, () => ({ tag: random.some(['red', 'green'], random.int(1, 2)) })),
      ...this.#maybe(0.2, () => ({ minAttempt: random.int(1, 2) })),
      ...this.#maybe(0.2, () => ({ state: ['enqueued'] })),
      ...this.#maybe(0.1, () => ({ error: 'Error:1' })),
      ...(this.jobs.length > 0 && random.chance(0.1) ? { parent: random.pick(this.jobs) } : {}),
    }
  }

  occurrence(id: string): NewJob {
    const { gates: _gates, unique: _unique, ...made } = this.newJob()
    return { ...made, recurring: { id, at: 1_000 } }
  }

  #first(): Pick<NewJob, 'state' | 'delay' | 'after'> {
    return this.random.weighted<() => Pick<NewJob, 'state' | 'delay' | 'after'>>([
      [60, () => ({ state: states.enqueued })],
      [6, () => ({ state: states.scheduled, delay: never })],
      [4, () => ({ state: states.scheduled, delay: 0 })],
      [
        30,
        () => (this.jobs.length < 2 ? { state: states.enqueued } : { state: states.awaiting, after: this.#edges() }),
      ],
    ])()
  }

  /** Parents are jobs made before this one, whose own id is the last that is known. */
  #edges(): Edge[] {
    const { random } = this
    const parents = new Set(random.some(this.jobs.slice(-15, -1), random.int(1, 3)))
    if (random.chance(0.04)) parents.add(this.newId())
    return [...parents].map((parent) => ({
      parent,
      on: random.chance(0.5) ? ['succeeded'] : random.some(finalPhases, random.int(1, 3)),
      ...this.#maybe(0.1, () => ({ missing: 'met' as const })),
    }))
  }

  #unique(): NonNullable<NewJob['unique']> {
    const { random } = this
    return {
      key: `key-${this.seed}-${random.int(0, 2)}`,
      until: random.pick(['claimed', 'final']),
      conflict: random.chance(0.3) ? 'replace' : 'skip',
      ...this.#maybe(0.2, () => ({ ttl: never })),
    }
  }

  #gates(): Gate[] {
    const { random } = this
    this.hasGates = true
    return random.some(['left', 'right'], random.int(1, 2)).map((name): Gate => {
      const key = `${name}-${this.seed}`
      const limit = random.int(1, 2)
      return random.chance(0.15) ? { key, limit, busy: 'tell' } : { key, limit }
    })
  }

  #ending(claimed: ClaimedJob): Transition {
    const { random } = this
    this.asked++
    const n = random.int(1, 2)
    const error = { fingerprint: `Error:${n}`, preview: `Error: ${n}` }
    const failed: StateInput = { ...states.failed, error }
    const given = { id: claimed.id, token: claimed.token }
    const base = { ...given, ranMs: random.int(1, 500) }
    const made = random.weighted<Transition>([
      [10, { ...base, to: { ...states.succeeded, data: 'done' } }],
      [3, { ...base, to: failed }],
      [1, { ...base, to: states.deleted }],
      [4, { ...base, via: [failed], to: states.enqueued }],
      [2, { ...base, via: [failed], to: states.scheduled, delay: never }],
      [3, { ...given, to: states.enqueued, attempt: 'undo' }],
      [2, { ...given, to: states.parked, parkedFor: `${claimed.name}@${claimed.version}`, attempt: 'undo' }],
    ])
    return {
      ...made,
      ...this.#maybe(0.1, () => ({ params: { k: 'changed' } })),
      ...this.#maybe(0.1, () => ({ create: [this.newJob()] })),
      ...(made.to === states.enqueued && made.attempt === undefined && random.chance(0.2)
        ? { queue: random.pick(this.queues), priority: random.int(0, 200) }
        : {}),
    }
  }

  #notes(session: WorldSession): Note[] {
    const { random } = this
    return random.some([...session.held, ...session.spent.slice(-2)], 2).map(({ id, token }) => ({
      id,
      token,
      ...this.#maybe(0.6, () => ({ progress: String(random.int(0, 100)) })),
      ...this.#maybe(0.6, () => ({
        log: { from: random.int(1, 3), lines: ['one', 'two'].slice(0, random.int(1, 2)) },
      })),
    }))
  }

  #claim(): Claim {
    const { random } = this
    this.asked++
    const queues = random.some(this.queues, random.int(1, 3))
    return {
      max: random.int(0, 4),
      queues: queues.map((name) => (random.chance(0.15) ? { name, max: random.int(0, 2) } : { name })),
      state: states.processing,
      ...this.#maybe(0.2, () => ({ extra: random.int(1, 3) })),
      ...this.#maybe(0.3, () => ({ adopt: random.some(['mail.send@1', 'mail.send@2', 'report@1'], 2) })),
    }
  }

  #maybe<T extends object>(share: number, make: () => T): T | Record<never, never> {
    return this.random.chance(share) ? make() : {}
  }
}

export function openingOf(session: WorldSession, replaces?: SessionId): Session {
  return { id: session.id, server: session.server, ttl: session.mortal ? 4 : farMs * 1_000, info: '{}', replaces }
}
