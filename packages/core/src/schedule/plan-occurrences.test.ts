import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Misfire, type OccurrencesDue, planOccurrences } from './plan-occurrences.ts'
import { nextAfter, parseSchedule } from './schedule.ts'

const second = 1000
const minute = 60 * second
const hour = 60 * minute
const noon = Date.UTC(2027, 5, 15, 12)
const hourly = parseSchedule({ cron: '0 * * * *' })
const every10s = parseSchedule({ every: '10s' })
const policies: readonly Misfire[] = ['once', 'all', 'skip']

function plan(due: Partial<OccurrencesDue>): { hours: number[]; nextAt: number | null } {
  const { occurrences, nextAt } = planOccurrences({
    schedule: hourly,
    misfire: 'once',
    nextAt: noon,
    now: noon,
    ...due,
  })
  return { hours: occurrences.map((at) => (at - noon) / hour), nextAt: nextAt === null ? null : (nextAt - noon) / hour }
}

describe('an occurrence', () => {
  it.each(policies)('that is due is created, on time or up to a minute late (%s)', (misfire) => {
    for (const late of [0, 1, second, minute]) {
      expect(plan({ misfire, now: noon + late })).toEqual({ hours: [0], nextAt: 1 })
    }
  })

  it.each(policies)('that is not due is left (%s)', (misfire) => {
    expect(plan({ misfire, now: noon - 1 })).toEqual({ hours: [], nextAt: 0 })
  })

  it('that is more than a minute late is missed', () => {
    const now = noon + minute + 1
    expect(plan({ misfire: 'once', now })).toEqual({ hours: [0], nextAt: 1 })
    expect(plan({ misfire: 'all', now })).toEqual({ hours: [0], nextAt: 1 })
    expect(plan({ misfire: 'skip', now })).toEqual({ hours: [], nextAt: 1 })
  })

  it('does not come when nothing does', () => {
    expect(plan({ nextAt: null })).toEqual({ hours: [], nextAt: null })
  })
})

describe('of many missed occurrences', () => {
  const now = noon + 5.5 * hour

  it('once runs the latest', () => {
    expect(plan({ misfire: 'once', now })).toEqual({ hours: [5], nextAt: 6 })
  })

  it('all runs each, oldest first', () => {
    expect(plan({ misfire: 'all', now })).toEqual({ hours: [0, 1, 2, 3, 4, 5], nextAt: 6 })
  })

  it('skip runs none', () => {
    expect(plan({ misfire: 'skip', now })).toEqual({ hours: [], nextAt: 6 })
  })

  it('those within the last minute are not missed, and run', () => {
    const due = { schedule: every10s, now: noon + 5 * minute }
    const onTime = [240, 250, 260, 270, 280, 290, 300].map((seconds) => (seconds * second) / hour)
    expect(plan({ ...due, misfire: 'skip' }).hours).toEqual(onTime)
    expect(plan({ ...due, misfire: 'once' }).hours).toEqual([(230 * second) / hour, ...onTime])
    expect(plan({ ...due, misfire: 'all' }).hours).toHaveLength(31)
  })

  it('at most a thousand are created by one tick, and the next tick goes on where it stopped', () => {
    const now = noon + 2500 * 10 * second
    const created: number[] = []
    const sizes: number[] = []
    for (let nextAt: number | null = noon; nextAt !== null && nextAt <= now;) {
      const tick = planOccurrences({ schedule: every10s, misfire: 'all', nextAt, now })
      sizes.push(tick.occurrences.length)
      created.push(...tick.occurrences)
      nextAt = tick.nextAt
    }
    expect(sizes).toEqual([1000, 1000, 501])
    expect(created).toEqual(Array.from({ length: 2501 }, (_, i) => noon + i * 10 * second))
  })

  it('a year of missed seconds is decided at once', () => {
    const everySecond = parseSchedule({ cron: '* * * * * *', timeZone: 'Europe/Berlin' })
    const now = noon + 365 * 24 * hour
    const startedAt = performance.now()
    const { occurrences, nextAt } = planOccurrences({ schedule: everySecond, misfire: 'once', nextAt: noon, now })
    expect(performance.now() - startedAt).toBeLessThan(100)
    expect(occurrences).toHaveLength(62)
    expect(occurrences[0]).toBe(now - minute - second)
    expect(nextAt).toBe(now + second)
  })

  it('the last one of a schedule that ends leaves nothing', () => {
    const lastDay = 8.6e15
    const midnight = parseSchedule({ cron: '0 0 * * *' })
    const nextAt = nextAfter(midnight, lastDay - 48 * hour)!
    expect(planOccurrences({ schedule: midnight, misfire: 'all', nextAt, now: lastDay + 100 * hour }).nextAt).toBeNull()
  })
})

describe('a pause', () => {
  it.each(policies)('that lasts creates nothing, and leaves nothing to miss (%s)', (misfire) => {
    expect(plan({ misfire, now: noon + 5 * hour, paused: { at: noon - 1 } })).toEqual({ hours: [], nextAt: 6 })
    const until = noon + 7.5 * hour
    expect(plan({ misfire, now: noon + 5 * hour, paused: { at: noon - 1, until } })).toEqual({ hours: [], nextAt: 8 })
  })

  it.each(policies)('that has ended by itself leaves nothing missed (%s)', (misfire) => {
    const paused = { at: noon - 1, until: noon + 4.5 * hour }
    expect(plan({ misfire, now: noon + 4.6 * hour, paused })).toEqual({ hours: [], nextAt: 5 })
    expect(plan({ misfire, now: noon + 5 * hour, paused })).toEqual({ hours: [5], nextAt: 6 })
  })

  it('leaves to the policy what was missed before it and after it', () => {
    const paused = { at: noon + 1.5 * hour, until: noon + 3.5 * hour }
    const now = noon + 5.5 * hour
    expect(plan({ misfire: 'all', now, paused })).toEqual({ hours: [0, 1, 4, 5], nextAt: 6 })
    expect(plan({ misfire: 'once', now, paused })).toEqual({ hours: [5], nextAt: 6 })
    expect(plan({ misfire: 'skip', now, paused })).toEqual({ hours: [], nextAt: 6 })
    expect(plan({ misfire: 'once', now: noon + 3.9 * hour, paused })).toEqual({ hours: [1], nextAt: 4 })
  })

  it('that is long over changes nothing', () => {
    expect(plan({ now: noon, paused: { at: noon - 9 * hour, until: noon - 8 * hour } })).toEqual({
      hours: [0],
      nextAt: 1,
    })
  })
})

describe('whatever is missed and paused', () => {
  it('the plan is that of a walk over every occurrence', () => {
    const schedules = [hourly, every10s, parseSchedule({ cron: '*/7 1-3 * * 2', timeZone: 'Europe/Berlin' })]
    const spans = fc.integer({ min: 0, max: 40 * hour })
    const pauses = fc.option(fc.record({ at: spans, until: spans }), { nil: undefined })
    fc.assert(
      fc.property(
        fc.constantFrom(...schedules),
        fc.constantFrom(...policies),
        spans,
        pauses,
        (schedule, misfire, span, pause) => {
          const nextAt = nextAfter(schedule, noon - 1)!
          const now = noon + span
          const paused = pause && {
            at: noon + Math.min(pause.at, pause.until),
            until: noon + Math.max(pause.at, pause.until),
          }
          fc.pre(paused === undefined || paused.until <= now)

          const counted: number[] = []
          for (let at: number | null = nextAt; at !== null && at <= now; at = nextAfter(schedule, at)) {
            if (paused === undefined || at < paused.at || at >= paused.until) counted.push(at)
          }
          const missed = counted.filter((at) => now - at > minute)
          const onTime = counted.filter((at) => now - at <= minute)
          const kept = { once: missed.slice(-1), all: missed, skip: [] }[misfire]
          const tick = planOccurrences({ schedule, misfire, nextAt, now, paused })
          expect(tick.occurrences).toEqual([...kept, ...onTime].slice(0, 1000))
          const next = [...kept, ...onTime][1000]
          expect(tick.nextAt).toBe(next ?? nextAfter(schedule, now))
        },
      ),
      { numRuns: 300 },
    )
  })
})
