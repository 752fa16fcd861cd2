import { type CreateOutcome, type NewJob, type TransactionalJobsRoom, payloadBytes } from '@q/core/storage'
import { areAlike, encodeAlikeJobs } from './alike-jobs.ts'
import { encodeChanges, learnChanges } from './change-list.ts'
import { refuseLongList } from './capabilities.ts'
import { encodeCreateList, jsonOf, learnNames } from './create-list.ts'
import { isRefusedData } from './errors.ts'
import { queueTopic } from './pokes.ts'
import type { Room } from './room.ts'
import { applyList, createAlike, createJobs } from './statements/jobs.ts'
import { type PostgresTransaction, createWithin } from './within.ts'

/** What travels in one statement; a longer list takes several. */
const mostBytes = 64 * 1024 * 1024

export function createJobsRoom(room: Room): TransactionalJobsRoom<PostgresTransaction> {
  const { connections, names, pokes, enter } = room

  async function create(jobs: readonly NewJob[]): Promise<CreateOutcome[]> {
    return areAlike(jobs) && (await storeAlike(jobs)) ? jobs.map(() => ({ ok: 'created' })) : store(jobs)
  }

  /** False when nothing was stored: one of them is there already, or cannot be stored, and has to be told from the others. */
  async function storeAlike(jobs: readonly NewJob[]): Promise<boolean> {
    const { queue, name, tags } = jobs[0]!
    await names.learn([queue], [name], tags)
    try {
      const [row] = await connections.write(createAlike, encodeAlikeJobs(jobs, names))
      if (row!.stored) pokes.tell([queueTopic(names.queue(queue))])
      return row!.stored
    } catch (error) {
      if (isRefusedData(error)) return false
      throw error
    }
  }

  async function store(jobs: readonly NewJob[]): Promise<CreateOutcome[]> {
    await learnNames(names, jobs)
    const list = encodeCreateList(jobs, names)
    if (list.plain.length === 0 && list.slow.length === 0) return list.outcomes({ plain: null, slow: null })
    try {
      const [reply] = await connections.write(createJobs, [jsonOf(list.plain), jsonOf(list.slow), false])
      const outcomes = list.outcomes(reply!)
      pokes.created(jobs, outcomes)
      return outcomes
    } catch (error) {
      if (!isRefusedData(error)) throw error
      // One of them cannot be stored, and nothing was: they are stored one by one, so that only that one is refused.
      if (jobs.length === 1) return [{ ok: 'invalid', reason: error instanceof Error ? error.message : String(error) }]
      const outcomes: CreateOutcome[] = []
      for (const job of jobs) outcomes.push(...(await store([job])))
      return outcomes
    }
  }

  return {
    create: (jobs) =>
      enter(async () => {
        refuseLongList('create', jobs)
        const outcomes: CreateOutcome[] = []
        for (const part of partsOf(jobs)) outcomes.push(...(await create(part)))
        return outcomes
      }),
    apply: (list) =>
      enter(async () => {
        refuseLongList('apply', list)
        await learnChanges(names, list)
        const changes = encodeChanges(names, list)
        if (changes.rows.length === 0) return changes.outcomes([])
        const [reply] = await connections.write(applyList, [JSON.stringify(changes.rows)])
        pokes.touch(reply!.topics)
        return changes.outcomes(reply!.outcomes.map((raw, k) => ({ ...raw, i: changes.rows[k]!.i })))
      }),
    within(tx) {
      return createWithin(room, tx)
    },
  }
}

function* partsOf(jobs: readonly NewJob[]): Generator<readonly NewJob[]> {
  let from = 0
  let bytes = 0
  for (const [i, job] of jobs.entries()) {
    bytes += payloadBytes(job.payload)
    if (bytes <= mostBytes || i === from) continue
    yield jobs.slice(from, i)
    from = i
    bytes = payloadBytes(job.payload)
  }
  if (from < jobs.length) yield from === 0 ? jobs : jobs.slice(from)
}
