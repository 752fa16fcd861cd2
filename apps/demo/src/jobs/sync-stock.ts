import { defineJob, fixed } from '@q/core'

/** Every minute, and it fails now and then: the supplier's feed is not always what its documentation says. */
export const syncStock = defineJob({
  name: 'stock.sync',
  queue: 'office',
  retry: { attempts: 2, backoff: fixed('4s') },
  keep: { succeeded: '3h', failed: '1d' },
  async run(_input: void, ctx) {
    const sheets = await ctx.use('supplier').fetchSheets(ctx.signal)
    for (const [paper, count] of sheets) ctx.log.debug(`${count} sheets of ${paper}`)
    return Object.fromEntries(sheets)
  },
})
