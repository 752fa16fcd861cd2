import { expect, test } from 'vitest'
import { QError, createClient, defineFilter, defineJob, memoryStorage, newJobId } from '../src/index.ts'
import type { EnqueueOptions, JobStorage } from '../src/index.ts'

const report = defineJob({ name: 'report', run: () => undefined })

/** A storage that answers nothing to the first call of each method that changes something; the call itself is made. */
function losingFirstReplies(storage: JobStorage): { readonly storage: JobStorage; readonly lost: string[] } {
  const lost: string[] = []
  const room = <Room extends object>(name: string, methods: Room): Room =>
    Object.fromEntries(
      Object.entries(methods).map(([method, real]) => [
        method,
        async (...args: unknown[]) => {
          const answer: unknown = await real(...args)
          const call = `${name}.${method}`
          if (method === 'due' || lost.includes(call)) return answer
          lost.push(call)
          throw new QError('Q_AMBIGUOUS', 'the reply was lost')
        },
      ]),
    ) as Room
  const { jobs, recurring, queues } = storage
  return {
    storage: {
      ...storage,
      jobs: room('jobs', jobs),
      recurring: room('recurring', recurring),
      queues: room('queues', queues),
    },
    lost,
  }
}

test('what people do to schedules and queues happens once, also when the first answer is lost', async () => {
  const inner = memoryStorage()
  const { storage, lost } = losingFirstReplies(inner)
  const client = createClient({ storage })

  const put = await client.recurring.put('nightly', { job: report, cron: '0 3 * * *' })
  expect(put.version).toBe((await client.recurring.get('nightly'))!.version)
  const job = await client.recurring.trigger('nightly')
  expect((await client.get(job!))!.recurring?.id).toBe('nightly')
  expect((await inner.monitor.count({ recurring: 'nightly' }, 10)).value).toBe(1)
  expect(await client.recurring.remove('nightly')).toBe(true)
  expect(await client.recurring.get('nightly')).toBeNull()

  await client.queues.set('mail', { maxActive: 3 })
  expect((await client.queues.list()).find(({ name }) => name === 'mail')!.maxActive).toBe(3)
  expect(lost).toEqual(['recurring.put', 'recurring.tick', 'recurring.remove', 'queues.set'])
})

test('a job is created, also when its first answer is lost and a create filter has seen it; one with an id of ours may have been there', async () => {
  const heard: boolean[] = []
  const listening = defineFilter({
    name: 'listening',
    async create(_, next) {
      const created = await next()
      heard.push(created.created)
      return created
    },
  })
  const enqueue = async (options: EnqueueOptions): Promise<boolean> => {
    const client = createClient({ storage: losingFirstReplies(memoryStorage()).storage })
    return (await client.enqueue(report, undefined, options)).created
  }

  expect(await enqueue({})).toBe(true)
  expect(await enqueue({ filters: [listening] })).toBe(true)
  expect(await enqueue({ id: newJobId(), filters: [listening] })).toBe(false)
  expect(heard).toEqual([true, false])
  const client = createClient({ storage: losingFirstReplies(memoryStorage()).storage })
  expect((await client.enqueueMany(report, [undefined, undefined])).map(({ created }) => created)).toEqual([true, true])
})
