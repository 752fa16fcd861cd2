import { recurringJob } from '@q/core'
import { bringVisitors } from './bring-visitors.ts'
import { syncStock } from './sync-stock.ts'
import { writeReport } from './write-report.ts'

/** What happens by itself. The code is the truth: what is taken out here is removed at the next start. */
export const schedules = [
  recurringJob('nightly-report', { job: writeReport, cron: '0 3 * * *', timeZone: 'Europe/Berlin' }),
  recurringJob('stock', { job: syncStock, cron: '* * * * *', overlap: 'skip' }),
  recurringJob('visitors', {
    job: bringVisitors,
    input: { orders: 1 },
    every: '5s',
    misfire: 'skip',
    overlap: 'skip',
  }),
]
