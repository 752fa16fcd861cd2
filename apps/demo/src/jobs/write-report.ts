import { defineJob } from '@q/core'

/** Every night at three in Berlin: what the day was like, read from the jobs themselves. */
export const writeReport = defineJob({
  name: 'report.nightly',
  queue: 'office',
  async run(_input: void, ctx) {
    const { byPhase } = await ctx.client.monitor.counts()
    ctx.log.info(`${byPhase.succeeded} jobs done, ${byPhase.failed} failed`)
    return byPhase
  },
})
