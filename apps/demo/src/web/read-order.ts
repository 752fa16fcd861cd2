import type { BaseClient, JobDetails, LogEntry } from '@q/core'
import { type Order, type Step, jobOf, steps } from '../shop/order.ts'

export interface StepView {
  readonly step: Step
  readonly job: JobDetails
  readonly lastLine: string | undefined
}

export interface OrderView {
  readonly order: Order
  readonly steps: readonly StepView[]
  /** Every step has come to an end of its own. */
  readonly isOver: boolean
}

/** An order is what its jobs say of it: the shop keeps no table of its own. */
export async function readOrder(client: BaseClient, number: string): Promise<OrderView | null> {
  const jobs = await Promise.all(steps.map((step) => client.get(jobOf(number, step))))
  const charge = jobs[0]
  if (charge === null || charge === undefined) return null
  const lines = await Promise.all(jobs.map((job) => lastLine(client, job)))
  const views = steps.flatMap((step, index) => {
    const job = jobs[index]
    return job === null || job === undefined ? [] : [{ step, job, lastLine: lines[index] }]
  })
  return {
    order: charge.input as Order,
    steps: views,
    isOver: views.every(({ job }) => job.finishedAt !== undefined),
  }
}

/** Only the press writes down what it does. */
async function lastLine(client: BaseClient, job: JobDetails | null): Promise<string | undefined> {
  if (job?.name !== 'print.render') return undefined
  const { items } = await client.monitor.logs(job.id)
  const line: LogEntry | undefined = items.at(-1)
  return line?.text
}

/** The numbers of the orders whose payment moved last. */
export async function recentOrders(client: BaseClient, limit: number): Promise<readonly string[]> {
  const { items } = await client.monitor.jobs({ name: ['order.charge'] }, { limit })
  return items.flatMap(({ tags }) => tags.flatMap((tag) => (tag.startsWith('order:') ? [tag.slice(6)] : [])))
}
