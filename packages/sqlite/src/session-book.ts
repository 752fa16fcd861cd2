import type { JobId, Ms, Payload, Session, SessionId, Signals } from '@q/core/storage'
import { claimToken } from '@q/core/storage'
import type { Connection } from './connection.ts'
import { statement } from './statement.ts'

interface SessionRow {
  readonly n: number
  readonly id: SessionId
  readonly server: string
  readonly ttl: number
  readonly opened: number
  readonly seen: number
  readonly suspect: number | null
  readonly call: number
  readonly buried: number
  readonly until: number | null
}

const columns = 'n, id, server, ttl, opened, seen, suspect, call, buried, until'
const byId = statement<[string], SessionRow>((t) => `select ${columns} from ${t.session} where id = ?`)
const byNumber = statement<[number], SessionRow>((t) => `select ${columns} from ${t.session} where n = ?`)
const alive = statement<[], SessionRow>((t) => `select ${columns} from ${t.session} where until is null order by n`)
const addSession = statement<[string, string, number, Payload, number, number, number], SessionRow>(
  (t) =>
    `insert into ${t.session} (id, server, ttl, info, opened, seen, call, buried) values (?, ?, ?, ?, ?, ?, ?, 0) returning ${columns}`,
)
const describeSession = statement<[string, number, Payload, number]>(
  (t) => `update ${t.session} set server = ?, ttl = ?, info = ? where n = ?`,
)
const saveSession = statement<[number, number | null, number, number, number | null, number]>(
  (t) => `update ${t.session} set seen = ?, suspect = ?, call = ?, buried = ?, until = ? where n = ?`,
)
/** Only while nobody else has buried it, and this call is the next one. */
const renewAlone = statement<[number, number, number, number]>(
  (t) => `update ${t.session} set seen = ?, suspect = null, call = ? where n = ? and buried = 0 and call < ?`,
)
const forgetBuried = statement<[number]>((t) => `delete from ${t.session} where until <= ?`)
const removeSession = statement<[number]>((t) => `delete from ${t.session} where n = ?`)

interface SignalRow {
  readonly id: JobId
  readonly call: number
  readonly reason: string | null
  readonly grace: number | null
  readonly voided: number
}

const addSignal = statement<[number, string, number, string | null, number | null, number]>(
  (t) => `insert or replace into ${t.signal} values (?, ?, ?, ?, ?, ?)`,
)
const dropSignal = statement<[number, string, number]>(
  (t) => `delete from ${t.signal} where session = ? and id = ? and call = ?`,
)
const dropSignals = statement<[number]>((t) => `delete from ${t.signal} where session = ?`)
const readSignals = statement<[number], SignalRow>(
  (t) => `select id, call, reason, grace, voided from ${t.signal} where session = ?`,
)

export interface SessionState {
  readonly n: number
  readonly id: SessionId
  server: string
  ttl: Ms
  readonly openedAt: Ms
  seenAt: Ms
  /** Since when somebody suspects it; any sign of life clears that. */
  suspectAt: Ms | null
  /** The highest call seen or closed. */
  lastCall: number
  /** Ended, lost, or being recovered. */
  buried: boolean
  /** Until when its id is refused; null while it still holds jobs or is alive. */
  until: Ms | null
  /** Whether anybody has something to tell it. */
  hasSignals: boolean
}

/** The sessions, kept in memory as long as nobody else has written. */
export class SessionBook {
  readonly #db: Connection
  readonly #known = new Map<SessionId, SessionState>()

  constructor(db: Connection) {
    this.#db = db
  }

  refresh(): void {
    this.#known.clear()
  }

  find(id: SessionId): SessionState | undefined {
    const known = this.#known.get(id)
    if (known !== undefined) return known
    const row = this.#db.get(byId, id)
    return row && this.#keep(row)
  }

  get(n: number): SessionState | undefined {
    for (const session of this.#known.values()) if (session.n === n) return session
    const row = this.#db.get(byNumber, n)
    return row && this.#keep(row)
  }

  /** Alive, or not yet all recovered; in the order in which they were opened. */
  unfinished(): SessionState[] {
    return this.#db.all(alive).map((row) => this.#known.get(row.id) ?? this.#keep(row))
  }

  open({ id, server, ttl, info }: Session, now: Ms): SessionState {
    return this.#keep(this.#db.get(addSession, id, server, ttl, info, now, now, Number.MIN_SAFE_INTEGER)!)
  }

  describe(session: SessionState, { server, ttl, info }: Session): void {
    session.server = server
    session.ttl = ttl
    this.#db.run(describeSession, server, ttl, info, session.n)
  }

  renew(session: SessionState, now: Ms): void {
    session.seenAt = now
    session.suspectAt = null
    const { n, lastCall, buried, until } = session
    this.#db.runQuietly(saveSession, now, null, lastCall, buried ? 1 : 0, until, n)
  }

  /** In one statement, outside any step; false when it is not certain that it lives and awaits this call. */
  renewAlone(id: SessionId, call: number, now: Ms): boolean {
    const session = this.#known.get(id)
    if (session === undefined || session.buried || call <= session.lastCall) return false
    if (this.#db.runQuietly(renewAlone, now, call, session.n, call) === 0) return false
    session.seenAt = now
    session.suspectAt = null
    session.lastCall = call
    return true
  }

  save({ n, seenAt, suspectAt, lastCall, buried, until }: SessionState): void {
    this.#db.run(saveSession, seenAt, suspectAt, lastCall, buried ? 1 : 0, until, n)
  }

  /** Its id is refused from now on, so that a late `open` of it cannot make it live again. */
  bury(session: SessionState, now: Ms): void {
    session.buried = true
    session.until = now + 2 * session.ttl
    session.hasSignals = false
    this.save(session)
    this.#db.run(dropSignals, session.n)
  }

  remove(session: SessionState): void {
    this.#known.delete(session.id)
    this.#db.run(removeSession, session.n)
  }

  forgetBuried(now: Ms): void {
    if (this.#db.run(forgetBuried, now) > 0) this.#known.clear()
  }

  tell(session: SessionState, id: JobId, call: number, signal: Omit<Signals['cancel'][number], 'id' | 'token'>): void {
    session.hasSignals = true
    const { reason = null, grace = null, voided = false } = signal
    this.#db.run(addSignal, session.n, id, call, reason, grace, voided ? 1 : 0)
  }

  untell(session: SessionState, id: JobId, call: number): void {
    if (session.hasSignals) this.#db.run(dropSignal, session.n, id, call)
  }

  signals(session: SessionState): Signals['cancel'] {
    if (!session.hasSignals) return none
    const rows = this.#db.all(readSignals, session.n)
    session.hasSignals = rows.length > 0
    return rows.map(({ id, call, reason, grace, voided }) => ({
      id,
      token: claimToken(session.id, call),
      reason: reason ?? undefined,
      grace: grace ?? undefined,
      ...(voided === 1 && { voided: true }),
    }))
  }

  #keep(row: SessionRow): SessionState {
    const { n, id, server, ttl, opened, seen, suspect, call, buried, until } = row
    const session: SessionState = {
      n,
      id,
      server,
      ttl,
      openedAt: opened,
      seenAt: seen,
      suspectAt: suspect,
      lastCall: call,
      buried: buried === 1,
      until,
      hasSignals: true,
    }
    this.#known.set(id, session)
    return session
  }
}

const none: Signals['cancel'] = Object.freeze([])
