import { expect, test } from 'vitest'
import { createClient, createServer, defineJob, memoryStorage } from '../src/index.ts'

test('the monitor reads the lines of a run as they were written, level, text and fields', async () => {
  const talk = defineJob({
    name: 'talk',
    run(_input: void, ctx) {
      ctx.log.info('hello', { to: 'world' })
      ctx.log.warn('careful')
    },
  })
  await using storage = memoryStorage()
  await using client = createClient({ storage })
  await using server = createServer({ storage, jobs: [talk] })
  await server.start()
  const handle = await client.enqueue(talk)
  await handle.result({ timeout: '5s' })

  const { items } = await client.monitor.logs(handle.id)
  expect(items).toMatchObject([
    { n: 1, attempt: 1, level: 'info', text: 'hello', fields: { to: 'world' } },
    { n: 2, attempt: 1, level: 'warn', text: 'careful', fields: undefined },
  ])
  expect((await client.monitor.logs(handle.id, 1)).items.map(({ text }) => text)).toEqual(['careful'])
})
