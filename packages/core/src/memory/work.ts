import type { Ms, SessionId } from '../storage/job.ts'
import type { ApplyOutcome, Transition } from '../storage/jobs.ts'
import type { Exchange, ExchangeResult, Note, Reconciled, Session, Signals, WorkRoom } from '../storage/work.ts'
import { QError } from '../errors.ts'
import { applyTransition } from './apply-transitions.ts'
import { refuseLongList } from './capabilities.ts'
import { claimJobs, claimedJob } from './claim-jobs.ts'
import { copyPayload } from './copy.ts'
import { handBack } from './hand-back.ts'
import { rareOf } from './job.ts'
import { isPaused } from './queue.ts'
import { nextTokenAt } from '../storage/rate.ts'
import { type SessionState, hasReceipt, newReceipts } from './sessions.ts'
import { type Store, begin, stubOf } from './store.ts'

export function createWorkRoom(store: Store): WorkRoom {
  return {
    async open(session) {
      begin(store)
      open(store, session)
    },
    async exchange(call) {
      begin(store)
      return exchange(store, call)
    },
    async reconcile(session, call, apply) {
      begin(store)
      return reconcile(store, session, call, apply)
    },
    async heartbeat(ids) {
      begin(store)
      return ids.map((id) => heartbeat(store, id))
    },
    async end(id) {
      begin(store)
      const session = store.sessions.get(id)
      if (session !== undefined) end(store, session)
    },
  }
}

function open(store: Store, { id, server, ttl, info, replaces }: Session): void {
  const buried = store.buried.get(id)
  const present = store.sessions.get(id)
  if ((buried !== undefined && buried.until > store.now) || present?.standing === 'buried') throw lost(id)
  const replaced = replaces === undefined || replaces === id ? undefined : store.sessions.get(replaces)
  if (replaced !== undefined) end(store, replaced)
  if (present !== undefined) {
    Object.assign(present, { server, ttl, info: copyPayload(info) })
    return renew(store, present)
  }
  store.buried.delete(id)
  store.changes++
  store.sessions.set(id, {
    id,
    server,
    ttl,
    info: copyPayload(info),
    openedAt: store.now,
    seenAt: store.now,
    suspectAt: undefined,
    standing: 'alive',
    lastCall: -Infinity,
    held: new Set(),
    cancel: new Map(),
    receipts: [],
  })
}

function exchange(store: Store, { session: id, call, apply, notes = [], claim }: Exchange): ExchangeResult {
  refuseLongList('exchange', apply)
  const session = working(store, id)
  if (!store.rules.isNewCall(call, session.lastCall)) throw closed(id, call)
  session.lastCall = call
  renew(store, session)
  const noted = notes.map((note) => takeNote(store, note))
  const caller = { session, receipts: newReceipts(session, call) }
  const applied = apply.map((change) => applyTransition(store, change, caller))
  store.gates.offerDue(store.now)
  const { claimed, more } = claim === undefined ? nothing : claimJobs(store, session, call, claim)
  const queues = claim?.queues ?? []
  return {
    applied,
    noted,
    claimed,
    more,
    nextDue: nextDue(store, queues),
    adoptable: queues.some(({ name }) => (store.queues.get(name)?.parked.size ?? 0) > 0),
    signals: signalsFor(store, session),
    names: store.queues.size,
    now: store.now,
  }
}

function takeNote(store: Store, { id, token, progress, log }: Note): boolean {
  const job = store.jobs.get(id)
  const claim = job?.claim
  if (job === undefined || claim == null || claim.token !== token) return false
  const rare = rareOf(job)
  if (progress !== undefined) rare.progress = copyPayload(progress)
  if (log !== undefined) {
    const logs = (rare.logs ??= { lines: [], n: 0 })
    for (const [index, text] of log.lines.entries()) {
      if (log.from + index <= claim.logged) continue
      claim.logged = log.from + index
      logs.lines.push({ n: ++logs.n, at: store.now, attempt: job.attempt, text: copyPayload(text) })
    }
    if (logs.lines.length > rememberedLines) logs.lines.splice(0, logs.lines.length - rememberedLines)
  }
  store.changes++
  store.watchers.job(id)
  return true
}

const rememberedLines = 1000

/** When anything of these queues may become claimable by time alone. */
function nextDue(store: Store, queues: readonly { readonly name: string }[]): Ms | undefined {
  let earliest = Infinity
  for (const { name } of queues) {
    const queue = store.queues.get(name)
    if (queue === undefined) continue
    const { paused, rate } = queue.config
    const dueAt = queue.due.nextAt()
    if (dueAt !== undefined) earliest = Math.min(earliest, dueAt)
    if (paused?.until !== undefined && isPaused(queue, store.now)) earliest = Math.min(earliest, paused.until)
    if (rate != null && queue.ready.size > 0) earliest = Math.min(earliest, nextTokenAt(rate, queue.fullAt, store.now))
    if (queue.awaitingTokens > 0) earliest = Math.min(earliest, store.gates.nextOpening() ?? Infinity)
  }
  return earliest === Infinity ? undefined : earliest
}

function reconcile(store: Store, id: SessionId, call: number, apply: readonly Transition[]): Reconciled {
  const session = working(store, id)
  session.lastCall = Math.max(session.lastCall, call)
  renew(store, session)
  const claimed = [...session.held].filter((job) => job.claim!.call === call)
  return {
    applied: apply.map((change) => whatBecameOf(store, session, call, change)),
    claimed: claimed.map((job) => claimedJob(job, job.claim!)),
    now: store.now,
  }
}

function whatBecameOf(
  store: Store,
  session: SessionState,
  call: number,
  { id, token, command }: Transition,
): ApplyOutcome | { readonly ok: 'held' } {
  const job = store.jobs.get(id)
  if (token === undefined) {
    const commands = job?.rare?.commands ?? stubOf(store, id)?.commands
    if (command !== undefined && commands?.includes(command)) return { ok: 'already' }
    return job === undefined ? { ok: 'missing' } : { ok: 'held' }
  }
  if (job?.claim?.token === token) return { ok: 'held' }
  const receipts = session.receipts.find((candidate) => candidate.call === call)
  if (hasReceipt(receipts, id, token)) return { ok: 'already' }
  return job === undefined && stubOf(store, id) === undefined ? { ok: 'missing' } : { ok: 'stale' }
}

function heartbeat(store: Store, id: SessionId): { readonly alive: boolean; readonly signals: Signals } {
  const session = store.sessions.get(id)
  if (session === undefined || !store.rules.mayWork(session)) {
    return { alive: false, signals: { cancel: [], queues: store.queueChanges } }
  }
  renew(store, session)
  return { alive: true, signals: signalsFor(store, session) }
}

function end(store: Store, session: SessionState): void {
  for (const job of session.held) handBack(store, job)
  bury(store, session)
}

/** Its id is refused from now on, so that a late `open` of it cannot make it live again. */
export function bury(store: Store, session: SessionState): void {
  session.standing = 'buried'
  session.cancel.clear()
  store.sessions.delete(session.id)
  store.buried.set(session.id, { session, until: store.now + 2 * session.ttl })
  store.changes++
}

function renew(store: Store, session: SessionState): void {
  session.seenAt = store.now
  session.suspectAt = undefined
}

function signalsFor(store: Store, session: SessionState): Signals {
  return { cancel: session.cancel.size === 0 ? noCancel : [...session.cancel.values()], queues: store.queueChanges }
}

const noCancel: readonly never[] = Object.freeze([])
const nothing = { claimed: noCancel, more: false }

function working(store: Store, id: SessionId): SessionState {
  const session = store.sessions.get(id) ?? store.buried.get(id)?.session
  if (session === undefined || !store.rules.mayWork(session)) throw lost(id)
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
