import { expect, test } from 'vitest'
import { createClient, defineJob, memoryStorage } from '../src/index.ts'

const report = defineJob({ name: 'report', run: (_input: { format: string }) => null })

test('another schedule moves the next run and leaves the rest of a recurring job alone', async () => {
  await using storage = memoryStorage()
  await using client = createClient({ storage })
  await client.recurring.put('nightly', { job: report, input: { format: 'pdf' }, cron: '0 3 * * *', overlap: 'skip' })
  await client.recurring.pause('nightly', { reason: 'holidays' })

  expect(await client.recurring.reschedule('nightly', { every: '1h' })).toBe(true)
  const after = (await client.recurring.get('nightly'))!
  expect(after).toMatchObject({
    words: 'Every hour',
    overlap: 'skip',
    input: { format: 'pdf' },
    paused: { reason: 'holidays' },
  })
  expect(after.nextAt!.getTime() % 3_600_000).toBe(0)
  expect(after.nextAt!.getTime() - Date.now()).toBeLessThanOrEqual(3_600_000)
})

test('a schedule that cannot be is refused and changes nothing', async () => {
  await using storage = memoryStorage()
  await using client = createClient({ storage })
  const before = await client.recurring.put('nightly', { job: report, input: { format: 'pdf' }, cron: '0 3 * * *' })
  await expect(client.recurring.reschedule('nightly', { cron: '99 3 * * *' })).rejects.toThrow(/minute/)
  expect((await client.recurring.get('nightly'))!.version).toBe(before.version)
  expect(await client.recurring.reschedule('unknown', { every: '1h' })).toBe(false)
})
