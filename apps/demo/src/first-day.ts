import type { BaseClient } from '@q/core'
import { bringVisitors } from './jobs/bring-visitors.ts'
import { renderPrint } from './jobs/render-print.ts'
import { sendMail } from './jobs/send-mail.ts'

/** On an empty storage: a morning's worth of orders, something in the calendar, and a mistake, so that no page begins empty. */
export async function openForTheFirstTime(client: BaseClient): Promise<void> {
  const { byPhase } = await client.monitor.counts()
  if (Object.values(byPhase).some((count) => count > 0)) return
  await client.enqueue(bringVisitors, { orders: 10 })
  for (const [index, day] of (['1d', '2d', '3d', '7d'] as const).entries()) {
    const mail = { to: 'ada@example.com', subject: `How do you like your print? (${index + 1})`, order: 'FIRST' }
    await client.schedule(sendMail, mail, { in: day, tags: ['review'] })
  }
  await client.enqueue(renderPrint, { print: 'polar-night', size: 'A3' }, { tags: ['proof'] })
  await client.recurring.trigger('nightly-report')
}
