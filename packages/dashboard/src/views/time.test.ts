import { expect, test } from 'vitest'
import { createTimes, knownZone } from './time.ts'

const at = Date.parse('2026-11-21T06:54:02.120Z')

test('a time is written in the zone of its reader, to the millisecond, and carries the instant', () => {
  const berlin = createTimes('Europe/Berlin', at)
  expect(String(berlin.precise(at))).toBe(
    '<time datetime="2026-11-21T06:54:02.120Z" data-t="fixed" title="2026-11-21 07:54:02.120 Europe/Berlin">2026-11-21 07:54:02.120</time>',
  )
  expect(String(createTimes('Asia/Kolkata', at).clock(at))).toContain('>12:24:02.120<')
})

test('both sides of a change of the clocks are told apart by the instant', () => {
  const berlin = createTimes('Europe/Berlin', at)
  const [before, after] = ['2026-10-25T00:30:00.000Z', '2026-10-25T01:30:00.000Z'].map((text) =>
    String(berlin.toMinute(new Date(text))),
  )
  expect(before).toContain('>2026-10-25 02:30<')
  expect(after).toContain('>2026-10-25 02:30<')
  expect(before).not.toBe(after)
})

test('what is past is ago, what comes is in', () => {
  const times = createTimes('UTC', at)
  const text = (ms: number): string =>
    String(times.relative(at + ms))
      .replace(/<[^>]+>/g, '')
      .replaceAll('\u00a0', ' ')
  expect([-240_000, 7_200_000, 300, -500].map(text)).toEqual(['4 min ago', 'in 2 h', 'now', 'now'])
})

test('a zone that does not exist is not believed', () => {
  expect(['Europe/Berlin', 'Mars/Olympus', '"><script>', '', undefined].map((name) => knownZone(name))).toEqual([
    'Europe/Berlin',
    null,
    null,
    null,
    null,
  ])
})
