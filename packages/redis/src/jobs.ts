import { QError, histogramIndex, orderByParents, whyInvalidJob, whyInvalidTransition } from '@q/core/storage'
import { textOf } from './codec/answer.ts'
import { phaseOf } from './codec/layout.ts'
import { isAlike, isPlainJob, packEnds, packJob, packJobs, packTransition, plainEndOf } from './codec/packed.ts'
import { unpack } from './msgpack.ts'
import { apply as applyScript } from './scripts/apply.ts'
import { create as createScript } from './scripts/create.ts'
import type { ApplyOutcome, CreateOutcome, JobsRoom, NewJob, SessionId, Transition } from '@q/core/storage'
import type { PackedEnds, PackedJob, PackedJobs, PackedTransition, PlainEnd } from './codec/packed.ts'
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

/** Jobs as they are sent, false for one that is not; and the jobs of the list that wait for each other with one of them. */
type Pack<Packed> = (
  list: readonly (NewJob | false)[],
  circleOf: (place: number) => readonly string[] | undefined,
) => readonly (Packed | false)[]

export const packEach: Pack<PackedJob> = (list, circleOf) =>
  list.map((job, place) => job && packJob(job, circleOf(place)))

/** Plain jobs that stand side by side and are alike travel as one. The second of the same id is looked at for itself. */
const packTogether: Pack<PackedJob | PackedJobs> = (list, circleOf) => {
  const packed: (PackedJob | PackedJobs | false)[] = []
  const isNew = firstSight()
  let alike: NewJob[] = []
  const close = (): void => {
    if (alike.length > 0) packed.push(packJobs(alike))
    alike = []
  }
  for (let place = 0; place < list.length; place++) {
    const job = list[place]!
    const circle = circleOf(place)
    const isPlain = job && isNew(job.id) && circle === undefined && isPlainJob(job)
    if (!isPlain || (alike.length > 0 && !isAlike(alike[0]!, job))) close()
    if (isPlain) alike.push(job)
    else packed.push(job && packJob(job, circle))
  }
  close()
  return packed
}

/** Tells whether an id comes for the first time. Ids grow as they are made: as long as they do, none need be remembered. */
function firstSight(): (id: string) => boolean {
  const ids: string[] = []
  let known: Set<string> | undefined
  return (id) => {
    if (known === undefined) {
      const isGrowing = ids.length === 0 || id > ids.at(-1)!
      if (isGrowing) ids.push(id)
      if (isGrowing) return true
      known = new Set(ids)
    }
    const { size } = known
    return known.add(id).size > size
  }
}

/** Invalid jobs are not sent; parents are sent before their children. The answer comes back in the order of the list. */
export function prepareJobs<Packed>(
  db: Database,
  jobs: readonly NewJob[],
  pack: Pack<Packed>,
): Prepared<Packed, CreateOutcome> {
  const reasons = jobs.map((job) => whyInvalidJob(job, db.maxPayload))
  const order = jobs.some((job) => job.after?.length) ? orderByParents(jobs) : null
  const indexOf = (place: number): number => (order ? order.places[place]! : place)
  const sent = jobs.map((_, place) => {
    const index = indexOf(place)
    return reasons[index] === null && jobs[index]!
  })
  return {
    packed: pack(sent, (place) => order?.circles.get(indexOf(place))?.ids),
    outcomes(answer) {
      const list = answer as Unpacked[]
      const outcomes: CreateOutcome[] = []
      for (let place = 0; place < list.length; place++) {
        const index = indexOf(place)
        const reason = list[place] === 5 ? (reasons[index] ?? order?.circles.get(index)?.reason ?? null) : null
        outcomes[index] = createOutcomeOf(list[place]!, reason)
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

/** `caller`: the session whose call it is. Its plain ends that stand side by side travel as one. */
export function prepareTransitions(
  db: Database,
  list: readonly Transition[],
  caller?: SessionId,
): Prepared<PackedTransition | PackedEnds, ApplyOutcome> {
  const packed: (PackedTransition | PackedEnds | false)[] = []
  const reasons: (string | null)[] = []
  const follow: (Prepared<PackedJob, CreateOutcome> | undefined)[] = []
  let ends: PlainEnd[] = []
  const close = (): void => {
    if (ends.length > 0) packed.push(packEnds(ends))
    ends = []
  }
  for (const change of list) {
    const reason = whyInvalidTransition(change, db.maxPayload)
    const isValid = reason === null
    const runBucket = change.ranMs === undefined ? undefined : histogramIndex(change.ranMs)
    const end = isValid && runBucket !== undefined ? plainEndOf(change, runBucket, caller) : null
    const jobs = isValid && change.create ? prepareJobs(db, change.create, packEach) : undefined
    reasons.push(reason)
    follow.push(jobs)
    if (end) {
      ends.push(end)
      continue
    }
    close()
    packed.push(isValid && packTransition(change, runBucket, jobs?.packed))
  }
  close()
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
