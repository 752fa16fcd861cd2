import { createServer } from '@q/core'
import type { JobDefinition } from '@q/core'
import type { JobStorage } from '@q/core/storage'
import type { Ledger } from '../evidence/ledger.ts'
import type { FleetJobs } from './jobs.ts'
import type { Plan } from './plan.ts'

export interface Setting {
  readonly plan: Plan
  readonly ledger: Ledger
  readonly storage: JobStorage
  readonly jobs: FleetJobs
}

/** What a process of the fleet does. */
export interface Member {
  begin?(): Promise<void>
  stop(): Promise<void>
}

const voices = {
  debug: () => undefined,
  info: () => undefined,
  warn: (message: string, fields: unknown) => console.warn(message, fields),
  error: (message: string, fields: unknown) => console.error(message, fields),
}

export async function startWorker({ plan, storage, jobs }: Setting): Promise<Member> {
  const server = createServer({
    storage,
    jobs: Object.values(jobs) as readonly JobDefinition<never, unknown>[],
    name: plan.name,
    lease: plan.leaseMs,
    concurrency: plan.concurrency,
    logger: voices,
  })
  const begin = (): Promise<void> => startThroughTrouble(() => server.start())
  if (!plan.waits) await begin()
  return { begin, stop: () => server.stop({ grace: '10s' }) }
}

/** The storage may be down when a process starts; whoever runs servers starts them again. */
async function startThroughTrouble(start: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await start()
    } catch (error) {
      console.warn('the start failed, and is tried again', String(error))
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }
}
