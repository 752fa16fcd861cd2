import { type JobStorage, type Logger, type Server, createServer } from '@q/core'
import { jobs } from './jobs/index.ts'
import { createServices } from './services/services.ts'

/** What runs the jobs. Each queue has its share of the slots, so a busy press never keeps a payment waiting. */
export function createShopServer(storage: JobStorage, logger: Logger): Server {
  return createServer({
    storage,
    jobs,
    queues: { payments: 6, press: 4, mail: 6, office: 4 },
    provide: { ...createServices() },
    // Short, so that the work of a process that was killed is taken over while somebody is looking.
    lease: '15s',
    logger,
  })
}
