import { setTimeout as sleep } from 'node:timers/promises'
import { defineJob, disableConcurrentExecution, fixed } from '@q/core'

/** The mail server of the tour: it can be closed, and is slow to trust. */
export interface PostOffice {
  isOpen: boolean
}

/** What the tour runs, in a queue of its own, so that a shop on the same storage is not disturbed. */
export function defineTourJobs(queue: string, post: PostOffice) {
  const own = { queue, keep: { succeeded: '5m', failed: '5m', deleted: '5m' } } as const

  const charge = defineJob({
    ...own,
    name: 'tour.charge',
    run: ({ order, cents }: { order: string; cents: number }) => ({ receipt: `R-${order}`, cents }),
  })

  const invoice = defineJob({
    ...own,
    name: 'tour.invoice',
    run: ({ order }: { order: string }) => `invoice of order ${order}`,
  })

  const mail = defineJob({
    ...own,
    name: 'tour.mail',
    retry: { attempts: 3, backoff: fixed('50ms') },
    unique: { key: (input: { to: string; answersAt: number }) => input.to },
    run({ answersAt }, ctx) {
      if (!post.isOpen) throw new Error('421 service not available')
      if (ctx.attempt < answersAt) throw new Error('451 greylisted, try again later')
      return `accepted at attempt ${ctx.attempt}`
    },
  })

  const render = defineJob({
    ...own,
    name: 'tour.render',
    async run({ pages }: { pages: number }, ctx) {
      for (let page = 0; page < pages; page++) {
        ctx.progress(page / pages, `page ${page + 1} of ${pages}`)
        await sleep(100, undefined, { signal: ctx.signal })
      }
    },
  })

  const pack = defineJob({
    ...own,
    name: 'tour.pack',
    filters: [disableConcurrentExecution('table {table}')],
    run: (_input: { table: number; parcel: number }, ctx) => sleep(40, undefined, { signal: ctx.signal }),
  })

  const tick = defineJob({ ...own, name: 'tour.tick', run: (_input: void, ctx) => ctx.recurring?.at.toISOString() })

  return { charge, invoice, mail, render, pack, tick }
}

export type TourJobs = ReturnType<typeof defineTourJobs>
