import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findTimeZone } from './time-zone.ts'

const hour = 3_600_000

/** The spans of one year as `from offset -> offset`, in hours. */
function changesOf(name: string, year: number): string[] {
  const zone = findTimeZone(name)
  const changes: string[] = []
  for (let at = Date.UTC(year, 0, 1); at < Date.UTC(year + 1, 0, 1); at = zone.spanAt(at).endAt) {
    const { startAt, offsetBeforeMs, offsetMs } = zone.spanAt(at)
    if (offsetBeforeMs === offsetMs) continue
    changes.push(`${new Date(startAt).toISOString().slice(0, 16)} ${offsetBeforeMs / hour} -> ${offsetMs / hour}`)
  }
  return changes
}

describe('findTimeZone', () => {
  it.each([
    ['Europe/Berlin', 2027, ['2027-03-28T01:00 1 -> 2', '2027-10-31T01:00 2 -> 1']],
    ['America/New_York', 2027, ['2027-03-14T07:00 -5 -> -4', '2027-11-07T06:00 -4 -> -5']],
    ['Australia/Lord_Howe', 2027, ['2027-04-03T15:00 11 -> 10.5', '2027-10-02T15:30 10.5 -> 11']],
    ['America/Sao_Paulo', 2018, ['2018-02-18T02:00 -2 -> -3', '2018-11-04T03:00 -3 -> -2']],
    ['Africa/Cairo', 2024, ['2024-04-25T22:00 2 -> 3', '2024-10-31T21:00 3 -> 2']],
    [
      'Pacific/Apia',
      2011,
      ['2011-04-02T14:00 -10 -> -11', '2011-09-24T14:00 -11 -> -10', '2011-12-30T10:00 -10 -> 14'],
    ],
    ['America/Recife', 2000, ['2000-02-27T02:00 -2 -> -3', '2000-10-08T03:00 -3 -> -2', '2000-10-15T02:00 -2 -> -3']],
    ['Asia/Kathmandu', 2027, []],
    ['Etc/GMT+3', 2027, []],
  ])('finds the changes of %s in %d', (name, year, changes) => {
    expect(changesOf(name, year)).toEqual(changes)
  })

  it('knows that some zones never change', () => {
    expect(findTimeZone('UTC').spanAt(0).offsetMs).toBe(0)
    expect(findTimeZone('Etc/GMT+3').spanAt(0).offsetMs).toBe(-3 * hour)
    expect(findTimeZone('Asia/Kathmandu').spanAt(Date.UTC(2027, 0)).offsetMs).toBe(5.75 * hour)
  })

  it('knows offsets with seconds, from before standard time', () => {
    expect(findTimeZone('Europe/Berlin').spanAt(Date.UTC(1890, 0, 1)).offsetMs).toBe((53 * 60 + 28) * 1000)
  })

  it('has spans without holes, each beginning with the offset the last one ended with', () => {
    const names = [
      'Europe/Dublin',
      'Africa/Casablanca',
      'Asia/Tehran',
      'Antarctica/Troll',
      'America/St_Johns',
      'Asia/Gaza',
    ]
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.integer({ min: -2e12, max: 4e12 }), (name, at) => {
        const zone = findTimeZone(name)
        const span = zone.spanAt(at)
        expect(span.startAt).toBeLessThanOrEqual(at)
        expect(span.endAt).toBeGreaterThan(at)
        expect(zone.spanAt(span.endAt - 1)).toBe(span)
        expect(zone.spanAt(span.endAt)).toMatchObject({ startAt: span.endAt, offsetBeforeMs: span.offsetMs })
      }),
    )
  })

  it('gives the same zone for every spelling of its name', () => {
    expect(findTimeZone('europe/BERLIN')).toBe(findTimeZone('Europe/Berlin'))
  })

  it.each([
    ['', 'not the name'],
    [' UTC', 'not the name'],
    ['Europe/Berlin ', 'not the name'],
    ['Mars/Olympus', 'no such zone'],
    ['Europe', 'no such zone'],
    ['+02:00', 'an offset'],
    ['UTC+2', 'an offset'],
    ['GMT-5', 'an offset'],
    ['../../etc/passwd', 'not the name'],
    [null, 'not a text'],
    [2, 'not a text'],
  ])('refuses %s', (name, reason) => {
    const find = () => findTimeZone(name as string)
    expect(find).toThrow(expect.objectContaining({ code: 'Q_OPTION_INVALID' }))
    expect(find).toThrow('"timeZone" cannot be')
    expect(find).toThrow(reason)
  })

  it('refuses a name of any length at once', () => {
    for (const name of ['A'.repeat(100_000), 'A/'.repeat(50_000)]) {
      expect(() => findTimeZone(name)).toThrow('not the name of a zone')
    }
  })
})
