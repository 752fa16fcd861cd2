import { type Logger, createClient } from '@q/core'
import { openForTheFirstTime } from './first-day.ts'
import { schedules } from './jobs/schedules.ts'
import { openShopStorage } from './open-storage.ts'
import { createShopServer } from './shop-server.ts'
import { openWeb } from './web/open-web.ts'

export interface Shop {
  readonly url: string
  /** Lets running jobs finish, hands back what does not, and closes everything. */
  close(): Promise<void>
}

/** The whole application: a storage, a client for the web pages, a server for the jobs, and the dashboard at /jobs. */
export async function openShop(logger: Logger): Promise<Shop> {
  const storage = await openShopStorage()
  const client = createClient({ storage, name: 'shop', logger })
  const server = createShopServer(storage, logger)
  await client.recurring.reconcile(schedules, { owner: 'shop', prune: true })
  await openForTheFirstTime(client)
  await server.start()
  const web = await openWeb(client, Number(process.env['PORT'] || 3000))
  return {
    url: web.url,
    async close() {
      await web.close()
      await server.stop({ grace: '8s' })
      await client.close()
      await storage.close()
    },
  }
}
