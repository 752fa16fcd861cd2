import type { JobId, JobSummary, StateRecord } from '@q/core/storage'
import { isFinalPhase, phases } from '@q/core/storage'
import type { Auditor } from './auditor.ts'
import type { KnownJob } from './known-job.ts'
import { holdsKey, isFinal } from './known-job.ts'
import { Violation } from './violation.ts'

/** Looks at everything there is, and compares it with what is counted and with what is known. */
export async function walk(auditor: Auditor): Promise<void> {
  const { monitor } = auditor.storage
  const listed = new Map<JobId, JobSummary>()
  const counts = await monitor.counts()
  for (const phase of phases) {
    const before = listed.size
    let cursor: string | undefined
    do {
      const page = await monitor.list({ phase: [phase] }, { limit: 200, order: 'oldest', cursor })
      for (const job of page.items) listed.set(job.id, job)
      cursor = page.next
    } while (cursor !== undefined)
    if (listed.size - before !== counts.byPhase[phase])
      throw new Violation(`${counts.byPhase[phase]} jobs are counted as ${phase}; there are ${listed.size - before}`)
  }
  const views = await monitor.get([...auditor.jobs.keys()])
  for (const [index, [id, job]] of [...auditor.jobs].entries()) {
    const view = views[index] ?? null
    if (!job.isGone || view !== null) auditor.observe(id, view)
    if ((listed.get(id)?.state.phase ?? 'gone') !== (view?.state.phase ?? 'gone'))
      throw new Violation(`job ${id} is listed as ${listed.get(id)?.state.phase}; it is ${view?.state.phase}`)
  }
  for (const id of listed.keys())
    if (!auditor.jobs.has(id)) throw new Violation(`job ${id} is stored, and nobody was told that it was created`)
  expectQueueCounts(auditor, listed, counts.byQueue)
  await expectSessions(auditor)
  await expectGates(auditor)
  for (const [key, jobs] of auditor.keyed()) {
    if ([...jobs].filter((job) => holdsKey(job, auditor.now)).length > 1)
      throw new Violation(`the unique key ${JSON.stringify(key)} has two holders`)
  }
  await expectSeries(auditor)
}

function expectQueueCounts(
  auditor: Auditor,
  listed: ReadonlyMap<JobId, JobSummary>,
  counted: Awaited<ReturnType<Auditor['storage']['monitor']['counts']>>['byQueue'],
): void {
  for (const [queue, counts] of Object.entries(counted)) {
    const jobs = [...listed.values()].filter((job) => job.queue === queue)
    for (const phase of ['ready', 'active', 'scheduled'] as const) {
      const there = jobs.filter((job) => job.state.phase === phase).length
      if (counts[phase] !== there)
        throw new Violation(`${counts[phase]} jobs of queue ${queue} are counted as ${phase}; there are ${there}`)
    }
  }
  for (const job of listed.values()) {
    const known = auditor.jobs.get(job.id)!
    if (job.attempt !== known.attempt || job.crashes !== known.crashes)
      throw new Violation(
        `job ${job.id} shows attempt ${job.attempt} and ${job.crashes} crashes; it had ${known.attempt} and ${known.crashes}`,
      )
  }
}

async function expectSessions(auditor: Auditor): Promise<void> {
  const shown = new Map((await auditor.storage.monitor.sessions()).map((session) => [session.id, session]))
  for (const [id, session] of auditor.sessions) {
    if (session.isOver === shown.has(id))
      throw new Violation(`session ${id} is ${session.isOver ? 'over' : 'open'}, and shown otherwise`)
    if (!session.isOver && shown.get(id)!.held !== session.held.size)
      throw new Violation(`session ${id} is said to hold ${shown.get(id)!.held} jobs; it holds ${session.held.size}`)
  }
}

async function expectGates(auditor: Auditor): Promise<void> {
  const seen = new Set<string>()
  for (const job of auditor.jobs.values()) {
    if (job.isGone || isFinal(job) || job.spec.gates === undefined || job.spec.gates.every(({ key }) => seen.has(key)))
      continue
    const standing = await auditor.storage.monitor.standing(job.spec.id)
    for (const { key, limit, used } of standing!.gates) {
      seen.add(key)
      const holders = auditor.holdersOf(key).length
      if (limit !== undefined && used !== holders)
        throw new Violation(`${JSON.stringify(key)} is said to be held by ${used} jobs; ${holders} hold it`)
    }
  }
}

async function expectSeries(auditor: Auditor): Promise<void> {
  const day = 86_400_000
  const { now, tally } = auditor
  const buckets = await auditor.storage.monitor.series({ by: 'all', from: now - 2 * day, to: now + day, step: 'day' })
  for (const what of ['created', 'ok', 'failed'] as const) {
    const counted = buckets.reduce((sum, bucket) => sum + bucket[what], 0)
    if (counted !== tally[what])
      throw new Violation(`the series count ${counted} as ${what}; it happened ${tally[what]} times`)
  }
}

/** Every job's past reads as the contract says, and agrees with the claims that were seen. */
export async function readHistories(auditor: Auditor): Promise<void> {
  for (const [id, job] of auditor.jobs) {
    if (job.isGone) continue
    const history = await auditor.storage.monitor.history(id)
    if (history.at(-1)?.n === history.length) expectStory(job, history)
  }
}

function expectStory(job: KnownJob, history: readonly StateRecord[]): void {
  const { id } = job.spec
  for (const [index, record] of history.entries()) {
    const before = history[index - 1]
    if (record.n !== index + 1) throw new Violation(`the history of job ${id} has a gap before ${record.n}`)
    if (before === undefined) continue
    if (record.at < before.at) throw new Violation(`the history of job ${id} goes back in time`)
    // A failure on the way to a retry is no end.
    const isEnd =
      isFinalPhase(before.phase) &&
      !(
        before.phase === 'failed' &&
        before.at === record.at &&
        before.command === undefined &&
        record.command === undefined &&
        !isFinalPhase(record.phase)
      )
    if (isEnd && record.command === undefined && record.phase !== 'deleted')
      throw new Violation(`job ${id} had ended as ${before.name}, and became ${record.name} without a command`)
    if (record.phase === 'awaiting') throw new Violation(`job ${id} waits for its parents a second time`)
  }
  const runs = history.filter(({ phase }) => phase === 'active').length
  if (runs !== job.claims.length)
    throw new Violation(`job ${id} was claimed ${job.claims.length} times; its history knows ${runs}`)
}
