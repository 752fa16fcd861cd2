import { defineJob, exponential } from '@q/core'

export interface OrderMail {
  readonly to: string
  readonly subject: string
  readonly order: string
}

/** One mail at a time to the same person, two dozen in ten seconds to all of them, and patience with the mail server. */
export const sendMail = defineJob({
  name: 'mail.send',
  queue: 'mail',
  retry: { attempts: 5, backoff: exponential({ base: '2s', max: '2m', jitter: 'equal' }) },
  concurrency: { key: (mail: OrderMail) => mail.to, limit: 1 },
  rate: { limit: 24, per: '10s' },
  keep: { succeeded: '3h', deleted: '3h' },
  async run(mail: OrderMail, ctx) {
    return { messageId: await ctx.use('mailer').send(mail, ctx.signal) }
  },
})
