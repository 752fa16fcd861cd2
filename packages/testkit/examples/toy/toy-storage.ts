import { QError, claimToken, entered, isFinalPhase, whyInvalidJob, whyInvalidTransition } from '@q/core/storage'
import type * as q from '@q/core/storage'
import type { Job, Queue, Session } from './toy-records.ts'
import { changesOf, isExpected, isLost, newJob, newQueue, newSession, putInPlace, signalsTo } from './toy-records.ts'

const maxPayload = 2 ** 20
const capabilities = { durability: 'none', search: 'none', push: false, maxBatch: 1_000, maxPayload }

/** A storage in a few maps: what the chapters Create, Order, Claim and Transitions ask for, and nothing else. */
export function toyStorage(clock: () => number = Date.now): q.JobStorage {
  const jobs = new Map<string, Job>()
  const waiting = new Set<Job>() // scheduled or parked
  const sessions = new Map<string, Session>()
  const queues = new Map<string, Queue>()
  let seq = 0
  let instant = 0 // one for all that happens in one call
  const now = (): number => (instant ||= (queueMicrotask(() => (instant = 0)), clock()))

  const queueOf = (name: string) => queues.get(name) ?? queues.set(name, newQueue()).get(name)!

  /** The only place where a job changes: it leaves where it was, takes on the changes, and joins where it belongs. */
  function enter(job: Job, state: q.StateInput, by = '', changes: Partial<Job> = {}, command?: string): void {
    const { ready: before } = queueOf(job.queue)
    if (job.state.phase === 'ready' && before.includes(job)) before.splice(before.indexOf(job), 1)
    if (job.claim?.session.held.delete(job)) queueOf(job.queue).active--
    waiting.delete(job)
    const wish = isFinalPhase(state.phase) ? undefined : job.wish
    Object.assign(job, { claim: undefined, wish }, changes)
    job.history.push({ ...state, n: job.history.length + 1, at: now(), attempt: job.attempt, by, command })
    Object.assign(job, { state: job.history.at(-1) })
    if (state.phase === 'ready') putInPlace(queueOf(job.queue).ready, job)
    if (state.phase === 'scheduled' || state.phase === 'parked') waiting.add(job)
  }

  function create(made: q.NewJob): q.CreateOutcome {
    const reason = whyInvalidJob(made, maxPayload)
    if (reason !== null) return { ok: 'invalid', reason }
    if (jobs.has(made.id)) return { ok: 'exists' }
    if (made.after?.[0]) return { ok: 'orphan', missing: made.after[0].parent } // there are no edges in this toy
    const job = newJob(made, now(), ++seq)
    jobs.set(made.id, job)
    enter(job, job.dueAt! <= job.createdAt ? { ...made.state, phase: 'ready' } : made.state, made.by)
    return { ok: 'created' }
  }

  const fenceOf = (job: Job, token: string | undefined, call: string) =>
    job.claim?.token === token ? 'held' : job.used === `${token} ${call}` ? 'already' : 'stale'

  /** `call` is that of a session; commands have none. */
  function apply(t: q.Transition, session?: Session, call = ''): q.ApplyOutcome {
    const reason = whyInvalidTransition(t, maxPayload)
    if (reason !== null) return { ok: 'invalid', reason }
    const job = jobs.get(t.id)
    if (job === undefined) return { ok: 'missing' }
    const {
      id,
      claim,
      state: { phase, name: state },
    } = job
    if (t.token !== undefined) {
      session?.voided.delete(t.token)
      const fence = fenceOf(job, t.token, call)
      if (fence !== 'held') return { ok: fence }
    } else {
      if ([...job.history, job.wish].some((one) => one?.command && one.command === t.command)) return { ok: 'already' }
      if (!isExpected(t, job.state) || (claim && !t.force && !isFinalPhase(t.to.phase)))
        return { ok: 'refused', phase, state }
      if (claim && !t.force) {
        const signal = { id, token: claim.token, reason: t.to.reason, grace: t.grace }
        Object.assign(job, { wish: job.wish ?? { to: t.to, command: t.command, signal } })
        return { ok: 'signalled' }
      }
      claim?.session.voided.set(claim.token, { id, token: claim.token, voided: true })
    }
    const by = t.by ?? session?.server
    const to = isFinalPhase(t.to.phase) ? t.to : (job.wish?.to ?? t.to)
    for (const passed of t.via ?? []) enter(job, passed, by)
    if (t.attempt !== 'undo') job.seq = ++seq
    enter(job, to, by, { ...changesOf(job, t, to, now()), used: `${t.token} ${call}` }, t.command)
    return { ok: 'applied', released: 0 }
  }

  function claim(wanted: q.Claim, session: Session, token: string) {
    const claimed: q.ClaimedJob[] = []
    const due: number[] = []
    let more = false
    for (const { name, max = Infinity } of wanted.queues) {
      const queue = queueOf(name)
      const { paused, maxActive, rate } = queue.config
      for (const job of waiting) if (job.queue === name && job.dueAt !== undefined) due.push(job.dueAt)
      const pausedUntil = paused ? (paused.until ?? Infinity) : 0
      if (pausedUntil > now() && due.push(pausedUntil)) continue
      const tokens = rate
        ? Math.min(rate.max, queue.tokens + ((now() - queue.filledAt) * rate.max) / rate.per)
        : Infinity
      let room = Math.min(max, wanted.max - claimed.length, (maxActive ?? Infinity) - queue.active, Math.floor(tokens))
      const before = claimed.length
      const known = [...waiting].filter((job) => job.queue === name && wanted.adopt?.includes(job.parkedFor ?? ''))
      for (const job of known.concat(queue.ready)) {
        const isExpired = job.attempt === 0 && job.createdAt + (job.expires ?? Infinity) <= now()
        if (isExpired) enter(job, entered.expired)
        else if (room-- <= 0) {
          more ||= claimed.length >= wanted.max
          break
        } else {
          enter(job, wanted.state, session.server, { claim: { session, token }, attempt: job.attempt + 1 })
          session.held.add(job)
          queue.active++
          claimed.push({ ...job, token, claimedAt: now() })
        }
      }
      Object.assign(queue, { tokens: tokens - (claimed.length - before), filledAt: now() })
    }
    return { claimed, more, nextDue: due.length > 0 ? Math.min(...due) : undefined }
  }

  function promote(): number {
    const due = [...waiting].filter(({ dueAt = Infinity }) => dueAt <= now())
    for (const job of due.sort((a, b) => a.dueAt! - b.dueAt! || a.seq - b.seq)) {
      enter(job, entered.promoted, '', { seq: ++seq, readyAt: now(), dueAt: undefined })
    }
    return due.length
  }

  /** Whoever calls lives: a session that nobody has recovered is renewed. */
  function sessionOf(id: string): Session {
    const session = sessions.get(id)
    if (!session || session.gone) throw new QError('Q_SESSION_LOST', `Session ${id} is gone: open another one.`)
    return Object.assign(session, { seenAt: now(), suspectAt: Infinity })
  }

  /** All that a session held goes back to its place: charged when it was lost, free when it ended. */
  function bury(session: Session, isLost: boolean): q.JobId[] {
    session.gone = true
    return Array.from(session.held, (job) => {
      const crashes = job.crashes + Number(isLost)
      const lost = crashes >= (job.crashLimit ?? 3) ? entered.crashed : entered.recovered
      const to = job.wish?.to ?? (isLost ? lost : entered.handedBack)
      enter(job, to, '', { crashes, attempt: job.attempt - Number(!isLost) })
      return job.id
    })
  }

  const work = {
    open: async (made: q.Session) => void sessions.set(made.id, newSession(made, now())),
    async exchange({ session: id, call, apply: list, claim: wanted }: q.Exchange) {
      const session = sessionOf(id)
      if (call <= session.call) throw new QError('Q_CALL_CLOSED', `Call ${call} is over: use a greater number.`)
      session.call = call
      const token = claimToken(id, call)
      const applied = list.map((t) => apply(t, session, token))
      promote()
      const found = wanted ? claim(wanted, session, token) : { claimed: [], more: false }
      return { applied, noted: [], ...found, signals: signalsTo(session), now: now() }
    },
    async reconcile(id: string, call: number, list: readonly q.Transition[]) {
      sessionOf(id).call = Math.max(sessionOf(id).call, call)
      const told = list.map(({ id: job, token }) =>
        jobs.has(job) ? fenceOf(jobs.get(job)!, token, claimToken(id, call)) : 'missing',
      )
      return { applied: told.map((ok) => ({ ok })), claimed: [], now: now() }
    },
    end: async (id: string) => void bury(sessionOf(id), false),
  }
  const rooms = {
    jobs: {
      async create(list: readonly q.NewJob[]) {
        if (list.length > 1_000) throw new QError('Q_OPTION_INVALID', 'Send at most 1,000 jobs at once.')
        return list.map(create)
      },
      apply: async (list: readonly q.Transition[]) => list.map((t) => apply(t)),
    },
    work: {
      ...work,
      heartbeat: async (ids: string[]) => ids.map((id) => ({ alive: true, signals: signalsTo(sessionOf(id)) })),
    },
    upkeep: {
      promote: async () => ({ moved: promote(), again: false }),
      async recover() {
        const lost = [...sessions.values()].filter((session) => isLost(session, now()))
        return { jobs: lost.flatMap((one) => bury(one, true)), sessions: lost.map(({ id }) => id), again: false }
      },
    },
    queues: { set: async (name: string, config: q.QueueConfig) => void Object.assign(queueOf(name).config, config) },
    monitor: {
      get: async (ids: string[]) =>
        ids.map((id) => (jobs.has(id) ? { ...jobs.get(id), server: jobs.get(id)?.claim?.session.server } : null)),
      history: async (id: string, after = 0) => jobs.get(id)?.history.slice(after) ?? [],
    },
  }
  // Rooms and methods that these chapters do not need are not there at all.
  return {
    label: 'toy',
    capabilities,
    ...rooms,
    start: async () => {},
    close: async () => {},
  } as unknown as q.JobStorage
}
