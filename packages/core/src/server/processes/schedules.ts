import { planOccurrences } from '../../schedule/plan-occurrences.ts'
import { parseSchedule } from '../../schedule/schedule.ts'
import type { RecurringRecord, RecurringTick } from '../../storage/recurring.ts'
import { decodeSpec, occurrenceJobs } from '../../client/recurring-spec.ts'
import type { ServerCore } from '../server-core.ts'
import type { Process } from '../supervise.ts'
import { supervise } from '../supervise.ts'

const chunk = 100
const mostJobsPerCall = 1000
/** Hints tell of new ones; a lost hint costs no more than this. */
const lookEveryMs = 60_000
const unheardLookEveryMs = 15_000

/** Creates the jobs of recurring records whose time has come. Every server does; the version lets one of them win each tick. */
export function startSchedules(core: ServerCore): Process {
  const mostMs = core.storage.capabilities.push ? lookEveryMs : unheardLookEveryMs
  return supervise(core, 'schedules', mostMs, async () => {
    const { recurring } = core.storage
    const { due, now, nextDue } = await recurring.due(chunk)
    const ticks = due.flatMap((record) => tickOf(core, record, now))
    for (const call of splitByJobs(ticks)) await recurring.tick(call)
    if (due.length === chunk) return 0
    const nextAt = Math.min(nextDue ?? Infinity, ...ticks.map((tick) => tick.nextAt ?? Infinity))
    return Math.min(mostMs, Math.max(1, nextAt - now))
  })
}

function tickOf(core: ServerCore, record: RecurringRecord, now: number): RecurringTick[] {
  try {
    const spec = decodeSpec(record.spec)
    const plan = planOccurrences({
      schedule: parseSchedule(spec.schedule),
      misfire: spec.misfire,
      nextAt: record.nextAt,
      now,
      paused: record.paused,
    })
    // A run that must not overlap cannot run several times at once either.
    const instants = spec.overlap === 'skip' ? plan.occurrences.slice(-1) : plan.occurrences
    return [
      {
        id: record.id,
        expect: record.version,
        nextAt: plan.nextAt,
        jobs: occurrenceJobs(record, spec, instants),
        skipWhile: spec.overlap === 'skip' ? record.lastJob : undefined,
      },
    ]
  } catch (error) {
    core.logger.error('a recurring job cannot be read, and is left alone', {
      recurring: record.id,
      error: String(error),
    })
    return []
  }
}

function splitByJobs(ticks: readonly RecurringTick[]): RecurringTick[][] {
  const calls: RecurringTick[][] = []
  let jobs = Infinity
  for (const tick of ticks) {
    if (jobs + tick.jobs.length > mostJobsPerCall) {
      calls.push([])
      jobs = 0
    }
    calls.at(-1)!.push(tick)
    jobs += tick.jobs.length
  }
  return calls
}
