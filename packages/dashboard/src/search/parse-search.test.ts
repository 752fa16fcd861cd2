import { expect, test } from 'vitest'
import { parseSearch } from './parse-search.ts'

const now = Date.parse('2026-11-21T12:00:00Z')
const read = (text: string): unknown => {
  const { search, problems } = parseSearch(text, now)
  expect(problems).toEqual([])
  return search
}

test('fields, lists and quotes', () => {
  expect(read('kind:mail.send,report queue:mail tag:"a b" state:failed')).toEqual({
    names: ['mail.send', 'report'],
    queues: ['mail'],
    tags: ['a b'],
    states: ['failed'],
  })
  expect(read('kind:"with, comma and \\"quotes\\""')).toEqual({ names: ['with, comma and "quotes"'] })
  expect(read('recurring:nightly server:web-1 parent:01abc')).toEqual({
    recurring: 'nightly',
    server: 'web-1',
    parent: '01ABC',
  })
})

test('states are left out with a minus', () => {
  expect(read('-state:succeeded,deleted')).toEqual({
    states: ['enqueued', 'processing', 'scheduled', 'retrying', 'awaiting', 'parked', 'failed'],
  })
})

test('numbers, durations and times', () => {
  expect(read('attempt:>3')).toEqual({ minAttempt: 4 })
  expect(read('attempt:>=3 ran:>10s waited:>1m')).toEqual({ minAttempt: 3, minRanMs: 10_000, minWaitedMs: 60_000 })
  expect(read('last:24h')).toEqual({ enteredAfter: now - 86_400_000 })
  expect(read('created:>2026-11-20 created:<2026-11-20T12:00Z')).toEqual({
    createdAfter: Date.parse('2026-11-20'),
    createdBefore: Date.parse('2026-11-20T12:00Z'),
  })
  expect(read('created:2026-11-20')).toEqual({
    createdAfter: Date.parse('2026-11-20'),
    createdBefore: Date.parse('2026-11-21'),
  })
})

test('a group of errors by its fingerprint, an error by its text, a value of the input as it stands in JSON', () => {
  expect(read('error:0123456789abcdef')).toEqual({ error: '0123456789abcdef' })
  expect(read('error:SmtpError')).toEqual({ text: 'SmtpError' })
  expect(read('args.user.id:42')).toEqual({ text: '"id":42' })
  expect(read('args.plan:pro')).toEqual({ text: '"plan":"pro"' })
  expect(read('args.id:"42"')).toEqual({ text: '"id":"42"' })
})

test('everything else is one text', () => {
  expect(read('out of memory')).toEqual({ text: 'out of memory' })
  expect(read('"kind:x" 10:30')).toEqual({ text: 'kind:x 10:30' })
  expect(read('')).toEqual({})
})

test.each([
  'foo:bar',
  'state:nope',
  'attempt:many',
  'ran:>soon',
  'last:yesterday',
  'created:>tomorrow',
  '-queue:mail',
  'error:A some text',
  'x'.repeat(1001),
])('%s is refused in words', (text) => {
  expect(parseSearch(text, now).problems).toHaveLength(1)
})

test('a hundred kilobytes are refused as fast as one', () => {
  const startedAt = performance.now()
  parseSearch('a'.repeat(100_000), now)
  parseSearch(`"${'\\"'.repeat(495)}`, now)
  expect(performance.now() - startedAt).toBeLessThan(100)
})
