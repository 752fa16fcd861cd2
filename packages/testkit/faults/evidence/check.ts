import type { JobId, StateRecord } from '@q/core/storage'
import { isFinalPhase } from '@q/core/storage'
import type { Witnessed } from './entry.ts'
import type { Evidence, Hit, StoredJob } from './evidence.ts'
import { rules } from './rules.ts'

export interface Violation {
  readonly what:
    | 'lost'
    | 'stored although refused'
    | 'unknown'
    | 'unfinished'
    | 'ended otherwise'
    | 'doubled completion'
    | 'completed by nobody'
    | 'started too often'
    | 'started before its parent ended'
    | 'doubled child'
    | 'missing child'
    | 'doubled tick'
    | 'missing tick'
    | 'left a final state'
    | 'torn history'
    | 'unhandled'
  readonly job: JobId | null
  readonly detail: string
}

/** Everything that must not have happened and did, by what the processes wrote and what the storage holds. */
export function check(evidence: Evidence): Violation[] {
  const trial = new Trial(evidence)
  return [
    ...trial.promises(),
    ...[...evidence.jobs.values()].flatMap((job) => [...trial.judge(job)]),
    ...trial.children(),
    ...trial.ticks(),
    ...trial.accidents(),
  ]
}

/** A run starts a moment after its claim, and its end is written a moment before the storage hears of it. */
const momentMs = 250

/** Entries that may be of this kind. */
type Of<K extends Witnessed['k'], E = Witnessed> = E extends { readonly k: infer Kinds }
  ? K extends Kinds
    ? E
    : never
  : never
type Start = Of<'start'>

class Trial {
  readonly #evidence: Evidence
  readonly #byJob = new Map<JobId, Witnessed[]>()
  readonly #hits: readonly Hit[]
  readonly #isExcused: (id: JobId) => boolean

  constructor(evidence: Evidence) {
    this.#evidence = evidence
    this.#isExcused = evidence.isExcused ?? (() => false)
    for (const entry of evidence.entries) {
      if (!('id' in entry)) continue
      const list = this.#byJob.get(entry.id)
      if (list === undefined) this.#byJob.set(entry.id, [entry])
      else list.push(entry)
    }
    for (const list of this.#byJob.values()) list.sort((a, b) => a.at - b.at)
    this.#hits = [...evidence.hits, ...evidence.entries.flatMap((entry) => selfReported(entry, evidence.leaseMs))]
  }

  /** What producers were told: an accepted job is there, a refused one is not. */
  *promises(): Generator<Violation> {
    for (const [id, entries] of this.#byJob) {
      const isThere = this.#evidence.jobs.has(id)
      if (!isThere && entries.some(({ k }) => k === 'accepted') && !this.#isExcused(id)) {
        yield { what: 'lost', job: id, detail: 'was accepted, and the storage does not know it' }
      }
      if (isThere && entries.some(({ k }) => k === 'refused')) {
        yield { what: 'stored although refused', job: id, detail: 'its producer was told that nothing was stored' }
      }
    }
  }

  *judge(job: StoredJob): Generator<Violation> {
    const entries = this.#byJob.get(job.id) ?? []
    if (rules[job.name] === undefined) {
      yield { what: 'unknown', job: job.id, detail: `nobody makes jobs named "${job.name}"` }
      return
    }
    if (rules[job.name]!.made === undefined && !entries.some(({ k }) => k === 'intent')) {
      yield { what: 'unknown', job: job.id, detail: 'is stored, and no producer ever meant to make it' }
    }
    yield* this.#history(job, entries)
    yield* this.#end(job, entries)
    yield* this.#completions(job, entries)
    yield* this.#starts(job, entries)
  }

  *#history({ id, history }: StoredJob, entries: readonly Witnessed[]): Generator<Violation> {
    for (const [index, record] of history.entries()) {
      const before = history[index - 1]
      if (before === undefined) continue
      if (record.n !== before.n + 1 || record.at < before.at) {
        yield { what: 'torn history', job: id, detail: `record ${before.n} is followed by ${record.n}` }
      }
      if (isFinalPhase(before.phase) && !isRetry(history, index) && !isCommanded(record, entries)) {
        yield {
          what: 'left a final state',
          job: id,
          detail: `${before.name} → ${record.name} (${record.reason ?? ''}) by "${record.by}" without a command`,
        }
      }
    }
  }

  *#end({ id, name, history }: StoredJob, entries: readonly Witnessed[]): Generator<Violation> {
    const last = history.at(-1)
    if (last === undefined || !isFinalPhase(last.phase)) {
      yield { what: 'unfinished', job: id, detail: `"${name}" stays ${last?.name ?? 'without any state'}` }
      return
    }
    const wasDeleted = entries.some((entry) => entry.k === 'command' && entry.verb === 'delete')
    const parent = entries.find((entry): entry is Of<'intent'> => entry.k === 'intent')?.parent
    const wasOrphaned = parent !== undefined && this.#evidence.jobs.get(parent)?.history.at(-1)?.phase === 'deleted'
    if (last.phase !== rules[name]!.ends && !(last.phase === 'deleted' && (wasDeleted || wasOrphaned))) {
      yield { what: 'ended otherwise', job: id, detail: `"${name}" ended ${last.phase}: ${last.reason ?? ''}` }
    }
  }

  /** One success, and one more for every requeue; each by the very run that said so. */
  *#completions({ id, name, history }: StoredJob, entries: readonly Witnessed[]): Generator<Violation> {
    const allowed = 1 + entries.filter((entry) => entry.k === 'command' && entry.verb === 'requeue').length
    const successes = history.filter(({ phase }) => phase === 'succeeded')
    const tokens = new Set(
      entries
        .filter((entry): entry is Of<'done'> => entry.k === 'done' && entry.to === 'succeeded')
        .map((e) => e.token),
    )
    const most = Math.max(successes.length, tokens.size)
    if (most > allowed && !this.#isExcused(id)) {
      yield { what: 'doubled completion', job: id, detail: `${most} accepted completions of "${name}"` }
    }
    for (const { by, attempt } of successes) {
      const ended = entries.some((entry) => entry.k === 'end' && entry.who === by && entry.attempt === attempt)
      if (!ended) {
        yield { what: 'completed by nobody', job: id, detail: `by "${by}" in run ${attempt}, which never ended there` }
      }
    }
  }

  /**
   * Of all runs but the last we know why they were not the last: they failed, the job was requeued, or a fault hit the
   * process they belong to. Runs are in the order of their claims: one that was claimed by a process that then stood
   * still may start after the run that took its place.
   */
  *#starts({ id, name }: StoredJob, entries: readonly Witnessed[]): Generator<Violation> {
    const starts = entries.filter((entry): entry is Start => entry.k === 'start')
    if (starts[0] !== undefined) yield* this.#parentFirst(starts[0], entries)
    starts.sort((a, b) => a.attempt - b.attempt || a.at - b.at)
    for (const [index, start] of starts.entries()) {
      const next = starts[index + 1]
      if (next === undefined) continue
      const until = Math.max(start.at, next.at)
      const failed = entries.some(
        (entry) =>
          (entry.k === 'threw' || (entry.k === 'aborted' && entry.code === 'Q_CANCELLED')) &&
          entry.who === start.who &&
          entry.at >= start.at &&
          entry.at <= until,
      )
      const requeued = entries.some(({ k, at }) => k === 'command' && at >= start.at - momentMs && at <= until)
      if (failed || requeued || this.#wasHit(start, until) || this.#isExcused(id)) continue
      yield {
        what: 'started too often',
        job: id,
        detail: `"${name}" started by ${start.who} (run ${start.attempt}) and by ${next.who} (run ${next.attempt}) ${Math.round(next.at - start.at)} ms later, and nothing had happened to ${start.who}`,
      }
    }
  }

  *#parentFirst(start: Start, entries: readonly Witnessed[]): Generator<Violation> {
    const parent = entries.find((entry): entry is Of<'intent'> => entry.k === 'intent')?.parent
    if (parent === undefined) return
    const ended = (this.#byJob.get(parent) ?? []).some(({ k, at }) => k === 'end' && at <= start.at)
    if (!ended) {
      yield { what: 'started before its parent ended', job: start.id, detail: `its parent is ${parent}` }
    }
  }

  #wasHit(run: Start, until: number): boolean {
    const { leaseMs, entries } = this.#evidence
    const concerns = (hit: Hit): boolean => hit.who === 'all' || hit.who === run.who
    const overlaps = (hit: Hit, from: number): boolean => hit.from <= until && hit.to >= from
    if (this.#hits.some((hit) => hit.voids && concerns(hit) && overlaps(hit, run.at - leaseMs))) return true
    // Faults of the line are survived by asking again; only when the lease is seen to go do they excuse anything.
    const lost = entries.some(
      ({ k, who, at }) => k === 'lease lost' && who === run.who && at >= run.at && at <= until + leaseMs,
    )
    return lost && this.#hits.some((hit) => concerns(hit) && overlaps(hit, run.at - 2 * leaseMs))
  }

  *children(): Generator<Violation> {
    for (const [name, { follower }] of Object.entries(rules)) {
      if (follower === undefined) continue
      const counts = new Map<JobId, number>()
      for (const job of this.#evidence.jobs.values()) {
        if (job.name !== follower) continue
        const { parent } = job.input as { parent: JobId }
        counts.set(parent, (counts.get(parent) ?? 0) + 1)
      }
      for (const job of this.#evidence.jobs.values()) {
        if (job.name !== name) continue
        const successes = job.history.filter(({ phase }) => phase === 'succeeded').length
        const children = counts.get(job.id) ?? 0
        counts.delete(job.id)
        if (this.#isExcused(job.id)) continue
        if (children < Math.min(1, successes)) {
          yield { what: 'missing child', job: job.id, detail: `"${name}" succeeded without its "${follower}"` }
        } else if (children > 1) {
          yield { what: 'doubled child', job: job.id, detail: `${children} "${follower}" of one "${name}"` }
        }
      }
      for (const [parent, count] of counts) {
        if (!this.#isExcused(parent))
          yield { what: 'unknown', job: parent, detail: `has ${count} "${follower}" and is not stored itself` }
      }
    }
  }

  /** A schedule that runs every second and makes up for what it missed: one job for every second, none twice. */
  *ticks(): Generator<Violation> {
    const instants = [...this.#evidence.jobs.values()].flatMap(({ id, recurring }) =>
      recurring === undefined ? [] : [{ id, at: recurring.at }],
    )
    instants.sort((a, b) => a.at - b.at)
    for (const [index, { id, at }] of instants.entries()) {
      const before = instants[index - 1]
      if (before === undefined) continue
      if (at === before.at)
        yield { what: 'doubled tick', job: id, detail: `two jobs for ${new Date(at).toISOString()}` }
      else if (at - before.at !== tickMs && !this.#isExcused(id))
        yield { what: 'missing tick', job: id, detail: `${at - before.at} ms after the one before it` }
    }
  }

  *accidents(): Generator<Violation> {
    for (const entry of this.#evidence.entries) {
      if (entry.k === 'unhandled') yield { what: 'unhandled', job: null, detail: `${entry.who}: ${entry.error}` }
    }
  }
}

/** The schedule of the fleet's recurring job. */
export const tickMs = 1000

/** A process that stood still, or whose storage did, was hit as well, though by nobody on purpose. */
function selfReported(entry: Witnessed, leaseMs: number): Hit[] {
  if (entry.k === 'stalled') {
    return [{ who: entry.who, kind: 'stall', from: entry.at - entry.ms, to: entry.at, voids: entry.ms > leaseMs / 3 }]
  }
  if (entry.k === 'back' && entry.ms > leaseMs / 3) {
    return [{ who: entry.who, kind: 'slow call', from: entry.at - entry.ms, to: entry.at, voids: true }]
  }
  return []
}

/** A failed run passes through the failed state on its way to the next try: one step, two records. */
function isRetry(history: readonly StateRecord[], index: number): boolean {
  const [before, record] = [history[index - 1]!, history[index]!]
  return before.phase === 'failed' && record.at === before.at && record.by === before.by && record.phase === 'scheduled'
}

function isCommanded(record: StateRecord, entries: readonly Witnessed[]): boolean {
  return entries.some((entry) => entry.k === 'command' && entry.who === record.by)
}
