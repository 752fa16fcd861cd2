import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type BaseClient, defineJob } from '@q/core'
import { createTestQ } from '@q/testkit'

const sent: string[] = []
const sendMail = defineJob({
  name: 'mail.send',
  run: (mail: { to: string; subject: string }) => void sent.push(`${mail.subject} → ${mail.to}`),
})

// What is tested: it gets a client, and knows nothing of tests.
async function signUp(client: BaseClient, to: string): Promise<void> {
  await client.enqueue(sendMail, { to, subject: 'Welcome' })
  await client.schedule(sendMail, { to, subject: 'How is it going?' }, { in: '3d' })
}

await test('whoever signs up is welcomed at once, and asked how it goes three days later', async (t) => {
  const q = await createTestQ({ jobs: [sendMail], now: '2027-03-28T00:00:00Z' })
  t.after(() => q[Symbol.asyncDispose]())
  await signUp(q.client, 'ada@example.com')

  q.expectEnqueued(sendMail, { subject: 'Welcome' })
  q.expectEnqueued(sendMail, { to: 'ada@example.com' }, { state: 'scheduled', at: '2027-03-31T00:00:00Z' })

  await q.drain()
  assert.deepEqual(sent, ['Welcome → ada@example.com'])

  await q.advance('3d')
  assert.deepEqual(sent, ['Welcome → ada@example.com', 'How is it going? → ada@example.com'])
  q.expectEnqueued(sendMail, undefined, { state: 'succeeded', times: 2 })
})
