import { setTimeout as sleep } from 'node:timers/promises'
import { JobDeletedError, JobFailedError, type JobDetails, nextOccurrences } from '@q/core'
import { type Stop, type Tour, patience } from './stop.ts'

export const stops: readonly Stop[] = [
  {
    title: 'Enqueue, and wait for the result',
    code: "const job = await client.enqueue(charge, { order: '7', cents: 1900 })",
    async take({ client, jobs, say }) {
      const job = await client.enqueue(jobs.charge, { order: '7', cents: 1900 })
      const { receipt, cents } = await job.result(patience)
      say(`charged ${cents} cents, receipt ${receipt}`)
    },
  },
  {
    title: 'Schedule',
    code: "await client.schedule(invoice, { order: '8' }, { in: '300ms' })",
    async take({ client, jobs, say }) {
      const job = await client.schedule(jobs.invoice, { order: '8' }, { in: '300ms' })
      say(`at first it is ${(await job.state())?.name}`)
      say(`${await job.result(patience)}, ${agoMs(await details(client, job.id)) >= 300 ? 'not' : 'TOO'} early`)
    },
  },
  {
    title: 'Continue: one job after another',
    code: "await client.continueWith(charged, invoice, { order: '9' })",
    async take({ client, jobs, say }) {
      const charged = await client.schedule(jobs.charge, { order: '9', cents: 3200 }, { in: '200ms' })
      const invoiced = await client.continueWith(charged, jobs.invoice, { order: '9' })
      say(`the invoice is ${(await invoiced.state())?.name} the payment`)
      say(`then: ${await invoiced.result(patience)}`)
    },
  },
  {
    title: 'Repeat',
    code: "await client.recurring.put('tick', { job: tick, every: '200ms' })",
    async take({ client, jobs, queue, say }) {
      const id = `${queue}.tick`
      const { words } = await client.recurring.put(id, { job: jobs.tick, every: '200ms' })
      const runs = await untilSome(() => client.recurring.runs(id, 100), 3)
      await client.recurring.remove(id)
      const jobsOfRuns = await Promise.all(runs.map(({ job }) => details(client, job)))
      const lateMs = Math.max(...jobsOfRuns.map((job, index) => job.createdAt.getTime() - runs[index]!.at))
      say(`${words}: ran three times${lateMs < 5000 ? '' : `, up to ${lateMs} ms LATE`}, then it was removed`)
      const [before, after] = nextOccurrences('0 3 * * *', {
        timeZone: 'Europe/Berlin',
        after: '2027-03-27T00:00:00Z',
        count: 2,
      })
      say(`three in the night in Berlin is ${before?.toISOString()}, and a day later ${after?.toISOString()}`)
    },
  },
  {
    title: 'Fail, and try again',
    code: "defineJob({ name: 'mail', retry: { attempts: 3, backoff: fixed('50ms') }, … })",
    async take({ client, jobs, say }) {
      const job = await client.enqueue(jobs.mail, { to: 'ada@example.com', answersAt: 3 })
      say(`${await job.result(patience)}; its history:`)
      for (const { state, reason } of (await details(client, job.id)).history) {
        say(`  ${state}${reason === undefined ? '' : `: ${reason}`}`)
      }
    },
  },
  {
    title: 'Fail for good, and be requeued by hand',
    code: 'await client.requeue(job.id)',
    async take({ client, jobs, post, say }) {
      post.isOpen = false
      const job = await client.enqueue(jobs.mail, { to: 'grace@example.com', answersAt: 1 })
      const error: unknown = await job.result(patience).catch((thrown: unknown) => thrown)
      if (!(error instanceof JobFailedError)) throw error
      say(`it failed ${(await details(client, job.id)).attempts.length} times: ${(error.cause as Error).message}`)
      post.isOpen = true
      await client.requeue(job.id, { reason: 'the mail server was mended' })
      say(await job.result(patience))
    },
  },
  {
    title: 'Cancel, before and in the middle',
    code: "await client.cancel(job.id, { reason: 'not needed any more' })",
    async take({ client, jobs, say }) {
      const reason = 'not needed any more'
      const later = await client.schedule(jobs.render, { pages: 3 }, { in: '1h' })
      say(`scheduled for later: stopped ${(await client.cancel(later.id, { reason })).how}`)
      const long = await client.enqueue(jobs.render, { pages: 600 })
      for await (const event of long.subscribe()) if (event.type === 'progress' && event.value > 0) break
      say(`at work: ${(await client.cancel(long.id, { reason })).how}`)
      const error: unknown = await long.result(patience).catch((thrown: unknown) => thrown)
      if (!(error instanceof JobDeletedError)) throw error
      say(`whoever waits for its result is told: ${error.reason}`)
    },
  },
  {
    title: 'Limits: one parcel on a table at a time',
    code: "defineJob({ name: 'pack', filters: [disableConcurrentExecution('table {table}')], … })",
    async take({ client, jobs, say }) {
      const inputs = [1, 2, 3, 4].flatMap((parcel) => [1, 2].map((table) => ({ table, parcel })))
      const packed = await client.enqueueMany(jobs.pack, inputs)
      await Promise.all(packed.map((job) => job.result(patience)))
      const runs = await Promise.all(packed.map((job) => details(client, job.id)))
      for (const table of [1, 2]) {
        const own = runs.filter((_run, index) => inputs[index]!.table === table)
        say(`table ${table}: ${own.length} parcels, at most ${mostAtOnce(own)} at once`)
      }
    },
  },
  {
    title: 'Unique: the same mail only once',
    code: "defineJob({ name: 'mail', unique: { key: (mail) => mail.to }, … })",
    async take({ client, jobs, queue, say }) {
      await client.queues.pause(queue)
      const first = await client.enqueue(jobs.mail, { to: 'edsger@example.com', answersAt: 1 })
      const second = await client.enqueue(jobs.mail, { to: 'edsger@example.com', answersAt: 1 })
      say(
        `the second was ${second.created ? 'created' : 'not created'}: ${second.conflict === first.id ? 'the first is still waiting' : ''}`,
      )
      await explain({ client, say }, first.id)
      await client.queues.resume(queue)
      say(await first.result(patience))
    },
  },
  {
    title: 'See everything',
    code: "await client.monitor.jobs({ queue: ['tour'], name: ['tour.mail', …] }, { limit: 100 })",
    async take({ client, jobs, queue, say }) {
      const { tick: _repeated, ...counted } = jobs
      const name = Object.values(counted).map((job) => job.name)
      const { items } = await client.monitor.jobs({ queue: [queue], name }, { limit: 100 })
      const byState = Map.groupBy(items, ({ state }) => state.name)
      const counts = [...byState].map(([state, { length }]) => `${length} ${state}`)
      say(counts.toSorted((a, b) => a.localeCompare(b)).join(', '))
    },
  },
]

/** Looks until there is enough to see. */
async function untilSome<T>(look: () => Promise<readonly T[]>, enough: number): Promise<readonly T[]> {
  const endsAt = Date.now() + 30_000
  for (;;) {
    const seen = await look()
    if (seen.length >= enough) return seen
    if (Date.now() > endsAt) throw new Error(`Saw ${seen.length} of ${enough} within half a minute.`)
    await sleep(25)
  }
}

/** Why does it not run? In a sentence. */
async function explain({ client, say }: Pick<Tour, 'client' | 'say'>, id: string): Promise<void> {
  const explanation = await client.explain(id)
  say(`why does the first not run? ${explanation?.blockers[0]?.text}`)
}

async function details(client: Tour['client'], id: string): Promise<JobDetails> {
  const job = await client.get(id)
  if (job === null) throw new Error(`Job ${id} is gone, although it is kept for minutes.`)
  return job
}

function agoMs({ createdAt, startedAt }: JobDetails): number {
  return (startedAt?.getTime() ?? 0) - createdAt.getTime()
}

function mostAtOnce(runs: readonly JobDetails[]): number {
  return Math.max(
    ...runs.map(
      ({ startedAt }) =>
        runs.filter((other) => other.startedAt! <= startedAt! && startedAt! < other.finishedAt!).length,
    ),
  )
}
