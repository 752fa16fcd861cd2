import type {
  ApplyOutcome,
  Claim,
  Exchange,
  ExchangeResult,
  Ms,
  Note,
  Payload,
  Reconciled,
  Session,
  SessionId,
  Signals,
  Transition,
  WorkRoom,
} from '@q/core/storage'
import { QError, parseToken } from '@q/core/storage'
import { applyTransitions, commandsOf, stubOf, wasEndedBy } from './apply-transitions.ts'
import { refuseLongList } from './capabilities.ts'
import { claimJobs, claimedJob, hasReady } from './claim-jobs.ts'
import type { Engine } from './engine.ts'
import { nextOpening, offerDue } from './gates.ts'
import { handBack } from './hand-back.ts'
import { startPacemaker } from './pacemaker.ts'
import { isPaused, nextStartAt } from './queue-book.ts'
import type { SessionState } from './session-book.ts'
import { statement } from './statement.ts'
import { nextDueOf, saveProgress } from './statements/job.ts'
import type { Store } from './store.ts'
import { loadJob, makeRare, saveJob, tokenOf } from './stored-job.ts'

const heldJobs = statement<[number], { id: string; call: number }>(
  (t) => `select id, call from ${t.lease} where session = ? order by call, priority, seq`,
)
const addLine = statement<[string, number, number, number, Payload]>(
  (t) => `insert into ${t.log} values (?, ?, ?, ?, ?)`,
)
const forgetLines = statement<[string, number]>((t) => `delete from ${t.log} where id = ? and n <= ?`)

export function createWorkRoom(engine: Engine): WorkRoom {
  return {
    open: (session) => engine.write((store) => open(store, session)),
    exchange(call) {
      const found = lookAgain(engine, call)
      return found === undefined ? engine.write((store) => exchange(store, call)) : Promise.resolve(found)
    },
    reconcile: (session, call, apply) => engine.write((store) => reconcile(store, session, call, apply)),
    heartbeat: (ids) => engine.write((store) => ids.map((id) => heartbeat(store, id))),
    end: (id) =>
      engine.write((store) => {
        const session = store.sessions.find(id)
        if (session !== undefined && session.until === null) end(store, session)
      }),
    ...(engine.path !== ':memory:' && { pacemaker: (session, options) => startPacemaker(engine, session, options) }),
  }
}

function open(store: Store, session: Session): void {
  const { id, replaces } = session
  const present = store.sessions.find(id)
  if (present?.buried && (present.until === null || present.until > store.now)) throw lost(id)
  const replaced = replaces === undefined || replaces === id ? undefined : store.sessions.find(replaces)
  if (replaced !== undefined && replaced.until === null) end(store, replaced)
  if (present !== undefined && !present.buried) {
    store.sessions.describe(present, session)
    return store.sessions.renew(present, store.now)
  }
  if (present !== undefined) store.sessions.remove(present)
  store.sessions.open(session, store.now)
}

function exchange(store: Store, { session: id, call, apply, notes = [], claim }: Exchange): ExchangeResult {
  refuseLongList('exchange', apply)
  const session = working(store, id)
  if (call <= session.lastCall) throw closed(id, call)
  session.lastCall = call
  store.sessions.renew(session, store.now)
  const noted = notes.map((note) => takeNote(store, note))
  const caller = { session, call }
  const applied = applyTransitions(store, apply, caller)
  offerDue(store)
  const { claimed, more } = claim === undefined ? nothing : claimJobs(store, session, call, claim)
  const queues = claim?.queues ?? []
  const result: ExchangeResult = {
    applied,
    noted,
    claimed,
    more,
    nextDue: nextDue(store, queues),
    adoptable: queues.some(({ name }) => (store.queues.find(name)?.counts.parked ?? 0) > 0),
    signals: signalsFor(store, session),
    names: store.queues.size,
    now: store.now,
  }
  const foundNothing = applied.length + noted.length + claimed.length + result.signals.cancel.length === 0 && !more
  if (foundNothing && claim !== undefined) {
    const until = Math.min(result.nextDue ?? Infinity, nextOpening(store) ?? Infinity)
    store.lull.keep(lookKey(id, claim), result, store, until)
  }
  return result
}

/** Whoever found nothing before, and looks again while nobody has written, finds nothing: only his lease is renewed. */
function lookAgain(engine: Engine, { session, call, apply, notes, claim }: Exchange): ExchangeResult | undefined {
  if (apply.length > 0 || notes?.length || claim === undefined) return undefined
  const found = engine.recall<ExchangeResult>(lookKey(session, claim))
  if (found === undefined) return undefined
  const { store, value, now } = found
  try {
    return store.sessions.renewAlone(session, call, now) ? { ...value, now } : undefined
  } catch (error) {
    // In a step it waits until the file is free, or says what is wrong.
    if (error instanceof Error) return undefined
    throw error
  }
}

function lookKey(session: SessionId, claim: Claim): string {
  return `look ${session} ${JSON.stringify(claim)}`
}

function takeNote(store: Store, { id, token, progress, log }: Note): boolean {
  const job = loadJob(store, id)
  const claim = job?.claim
  if (job === undefined || claim == null || tokenOf(claim) !== token) return false
  makeRare(store, job)
  if (log !== undefined) {
    const { rest } = job
    for (const [index, text] of log.lines.entries()) {
      if (log.from + index <= (rest.logged ?? 0)) continue
      rest.logged = log.from + index
      rest.logs = (rest.logs ?? 0) + 1
      store.db.run(addLine, id, rest.logs, store.now, job.attempt, text)
    }
    store.db.run(forgetLines, id, (rest.logs ?? 0) - rememberedLines)
  }
  saveJob(store, job)
  if (progress !== undefined) store.db.run(saveProgress, progress, id)
  store.wakes.job(id)
  return true
}

const rememberedLines = 1000

/** When anything of these queues may become claimable by time alone. */
function nextDue(store: Store, queues: readonly { readonly name: string }[]): Ms | undefined {
  let earliest = Infinity
  for (const { name } of queues) {
    const queue = store.queues.find(name)
    if (queue === undefined) continue
    const { paused, rate } = queue.config
    if (queue.counts.scheduled > 0) earliest = Math.min(earliest, store.db.get(nextDueOf, queue.n)?.at ?? Infinity)
    if (paused?.until !== undefined && isPaused(queue, store.now)) earliest = Math.min(earliest, paused.until)
    if (rate != null && hasReady(store, queue)) earliest = Math.min(earliest, nextStartAt(queue, store.now)!)
    if (queue.counts.ready > 0) earliest = Math.min(earliest, nextOpening(store) ?? Infinity)
  }
  return earliest === Infinity ? undefined : earliest
}

function reconcile(store: Store, id: SessionId, call: number, apply: readonly Transition[]): Reconciled {
  const session = working(store, id)
  session.lastCall = Math.max(session.lastCall, call)
  store.sessions.renew(session, store.now)
  const claimed = store.db.all(heldJobs, session.n).filter((row) => row.call === call)
  return {
    applied: apply.map((change) => whatBecameOf(store, session, call, change)),
    claimed: claimed.map((row) => {
      const job = loadJob(store, row.id)!
      return claimedJob(store, job, job.claim!)
    }),
    now: store.now,
  }
}

function whatBecameOf(
  store: Store,
  session: SessionState,
  call: number,
  { id, token, command }: Transition,
): ApplyOutcome | { readonly ok: 'held' } {
  const job = loadJob(store, id)
  if (token === undefined) {
    const commands = job === undefined ? commandsOf(store, id) : (job.rest.commands ?? [])
    if (command !== undefined && commands.includes(command)) return { ok: 'already' }
    return job === undefined ? { ok: 'missing' } : { ok: 'held' }
  }
  if (job?.claim != null && tokenOf(job.claim) === token) return { ok: 'held' }
  const claim = parseToken(token)
  const isOurs = claim?.session === session.id && wasEndedBy(store, job, id, { session, call }, claim.call)
  if (isOurs) return { ok: 'already' }
  return job === undefined && stubOf(store, id) === undefined ? { ok: 'missing' } : { ok: 'stale' }
}

function heartbeat(store: Store, id: SessionId): { readonly alive: boolean; readonly signals: Signals } {
  const session = store.sessions.find(id)
  if (session === undefined || session.buried)
    return { alive: false, signals: { cancel: [], queues: store.queues.revision } }
  store.sessions.renew(session, store.now)
  return { alive: true, signals: signalsFor(store, session) }
}

function end(store: Store, session: SessionState): void {
  for (const { id } of store.db.all(heldJobs, session.n)) handBack(store, loadJob(store, id)!)
  store.sessions.bury(session, store.now)
}

function signalsFor(store: Store, session: SessionState): Signals {
  return { cancel: store.sessions.signals(session), queues: store.queues.revision }
}

const nothing = { claimed: [], more: false } as const

function working(store: Store, id: SessionId): SessionState {
  const session = store.sessions.find(id)
  if (session === undefined || session.buried) throw lost(id)
  return session
}

function lost(id: SessionId): QError {
  const message = `Session "${id}" has ended or was given up for lost, so nothing was changed and all its claims are void. `
  return new QError('Q_SESSION_LOST', `${message}Open a new session that replaces it.`)
}

function closed(id: SessionId, call: number): QError {
  const message = `Call ${call} of session "${id}" came after that number was used or closed, so nothing was changed. `
  return new QError('Q_CALL_CLOSED', `${message}Send what is still open under a new number.`)
}
