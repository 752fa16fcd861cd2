import { QError, histogramIndex, orderByParents, whyInvalidJob, whyInvalidTransition } from '@q/core/storage'
import { isAlike, isPlainJob, packJob, packJobs, packTransition, phaseOf, textOf } from './codec.ts'
import { unpack } from './msgpack.ts'
import { apply as applyScript } from './scripts/apply.ts'
import { create as createScript } from './scripts/create.ts'
import type { ApplyOutcome, CreateOutcome, JobsRoom, NewJob, SessionId, Transition } from '@q/core/storage'
import type { PackedJob, PackedJobs, PackedTransition } from './codec.ts'
import type { Unpacked } from './msgpack.ts'
import type { Database } from './database.ts'

export function createJobs(db: Database): JobsRoom {
  return {
    async create(jobs) {
      refuseLongList(db, 'create', jobs.length)
      if (jobs.length === 0) return []
      const prepared = prepareJobs(db, jobs, packTogether)
      const answer = await db.run(createScript, {
        jobs: prepared.packed,
        size: jobs.length,
        publish: db.publishCommand(),
      })
      return prepared.outcomes(unpack(answer as Buffer))
    },

    async apply(list) {
      refuseLongList(db, 'apply', list.length)
      if (list.length === 0) return []
      const prepared = prepareTransitions(db, list)
      const answer = await db.run(applyScript, { apply: prepared.packed, publish: db.publishCommand() })
      return prepared.outcomes(unpack(answer as Buffer))
    },
  }
}

export function refuseLongList(db: Database, operation: string, size: number): void {
  if (size <= db.maxBatch) return
  throw new QError(
    'Q_OPTION_INVALID',
    `${size} items in one "${operation}" are more than the ${db.maxBatch} this storage takes: split them.`,
  )
}

interface Prepared<Packed, Outcome> {
  readonly packed: readonly (Packed | false)[]
  outcomes(answer: Unpacked): Outcome[]
}

/** A job as it is sent; false for one that is not. */
type Sent = { readonly job: NewJob; readonly circle?: readonly string[] | undefined } | false

export function packEach(list: readonly Sent[]): (PackedJob | false)[] {
  return list.map((sent) => sent && packJob(sent.job, sent.circle))
}

/** Plain jobs that stand side by side and are alike travel as one. The second of the same id is looked at for itself. */
function packTogether(list: readonly Sent[]): (PackedJob | PackedJobs | false)[] {
  const packed: (PackedJob | PackedJobs | false)[] = []
  const ids = new Set<string>()
  let alike: NewJob[] = []
  const close = (): void => {
    if (alike.length > 0) packed.push(packJobs(alike))
    alike = []
  }
  for (const sent of list) {
    const isPlain = sent && sent.circle === undefined && !ids.has(sent.job.id) && isPlainJob(sent.job)
    if (!isPlain || (alike.length > 0 && !isAlike(alike[0]!, sent.job))) close()
    if (sent) ids.add(sent.job.id)
    if (isPlain) alike.push(sent.job)
    else packed.push(sent && packJob(sent.job, sent.circle))
  }
  close()
  return packed
}

/** Invalid jobs are not sent; parents are sent before their children. The answer comes back in the order of the list. */
export function prepareJobs<Packed>(
  db: Database,
  jobs: readonly NewJob[],
  pack: (list: readonly Sent[]) => readonly (Packed | false)[],
): Prepared<Packed, CreateOutcome> {
  const reasons = jobs.map((job) => whyInvalidJob(job, db.maxPayload))
  const order = jobs.some((job) => job.after?.length) ? orderByParents(jobs) : null
  const sent = (order?.places ?? Array.from(jobs.keys())).map(
    (index): Sent => reasons[index] === null && { job: jobs[index]!, circle: order?.circles.get(index)?.ids },
  )
  return {
    packed: pack(sent),
    outcomes(answer) {
      const list = answer as Unpacked[]
      const outcomes: CreateOutcome[] = []
      for (const [place, outcome] of list.entries()) {
        const index = order ? order.places[place]! : place
        const reason = outcome === 5 ? (reasons[index] ?? order?.circles.get(index)?.reason ?? null) : null
        outcomes[index] = createOutcomeOf(outcome, reason)
      }
      return outcomes
    },
  }
}

const created: CreateOutcome = { ok: 'created' }
const exists: CreateOutcome = { ok: 'exists' }

function createOutcomeOf(answer: Unpacked, reason: string | null): CreateOutcome {
  if (reason !== null) return { ok: 'invalid', reason }
  if (answer === 0) return created
  if (answer === 1) return exists
  const [what, id] = answer as [Unpacked, Unpacked]
  switch (textOf(what)) {
    case 'c':
      return { ok: 'created', replaced: textOf(id) }
    case 'd':
      return { ok: 'duplicate', holder: textOf(id) }
    case 'o':
      return { ok: 'orphan', missing: textOf(id) }
    default:
      throw new Error(`the creation of a job was answered with "${textOf(what)}"`)
  }
}

export function prepareTransitions(
  db: Database,
  list: readonly Transition[],
  caller?: SessionId,
): Prepared<PackedTransition, ApplyOutcome> {
  const reasons = list.map((change) => whyInvalidTransition(change, db.maxPayload))
  const follow = list.map((change, index) =>
    change.create && reasons[index] === null ? prepareJobs(db, change.create, packEach) : null,
  )
  const packed = list.map((change, index) =>
    reasons[index] === null
      ? packTransition(
          change,
          change.ranMs === undefined ? undefined : histogramIndex(change.ranMs),
          follow[index]?.packed,
          caller,
        )
      : false,
  )
  return {
    packed,
    outcomes: (answer) =>
      (answer as Unpacked[]).map((outcome, index) =>
        applyOutcomeOf(outcome, reasons[index] ?? null, (jobs) => follow[index]!.outcomes(jobs)),
      ),
  }
}

const applied: ApplyOutcome = { ok: 'applied', released: 0 }
const plainOutcomes: readonly ApplyOutcome[] = [
  applied,
  { ok: 'already' },
  { ok: 'stale' },
  { ok: 'missing' },
  { ok: 'signalled' },
]

export function applyOutcomeOf(
  answer: Unpacked,
  reason: string | null,
  createdOf: (jobs: Unpacked) => CreateOutcome[],
): ApplyOutcome {
  if (reason !== null) return { ok: 'invalid', reason }
  if (typeof answer === 'number') return plainOutcomes[answer]!
  const [what, first, second] = answer as [Unpacked, Unpacked, Unpacked | undefined]
  switch (textOf(what)) {
    case 'a':
      return {
        ok: 'applied',
        released: first as number,
        ...(Array.isArray(second) ? { created: createdOf(second) } : {}),
      }
    case 'r':
      return { ok: 'refused', phase: phaseOf(first as number), state: textOf(second) }
    case 'd':
      return { ok: 'duplicate', holder: textOf(first) }
    default:
      throw new Error(`a transition was answered with "${textOf(what)}"`)
  }
}
