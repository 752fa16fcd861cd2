import { flushCompileCache } from 'node:module'
import { Ledger } from '../evidence/ledger.ts'
import { machineMs } from '../evidence/entry.ts'
import { fleetJobs } from './jobs.ts'
import type { Order, Plan, Report } from './plan.ts'
import { startProducer } from './producer.ts'
import { openTarget } from './target.ts'
import { WatchedStorage } from './watched-storage.ts'
import { startWorker } from './worker.ts'
import { startWrongClock } from './wrong-clock.ts'

/** A process of the fleet: it works until it is told to stop or dies, and ends by itself once nothing keeps it alive. */
const plan = JSON.parse(process.argv[2]!) as Plan
const ledger = new Ledger(plan.isQuiet ? '/dev/null' : plan.ledger)
let isStopping = false
ledger.write({ k: 'opened', pid: process.pid })
process.on('uncaughtExceptionMonitor', (error) =>
  ledger.write({ k: 'unhandled', error: String(error?.stack ?? error) }),
)
if (plan.clock !== undefined) startWrongClock(plan.clock)
watchForStalls()

const raw = await openTarget(plan.target)
const watched = new WatchedStorage(raw, ledger, {
  slowMs: plan.leaseMs / 4,
  hasPacemaker: plan.hasPacemaker,
  onSwallowed: (method) => report({ swallowed: method }),
})
const setting = { plan, ledger, storage: watched.storage, jobs: fleetJobs(ledger) }
const member = plan.role === 'worker' ? await startWorker(setting) : await startProducer(setting)

process.on('message', (order: Order) => {
  if (order.do === 'stop') void stop()
  if (order.do === 'begin') void member.begin?.()
  if (order.do === 'block') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, order.ms)
  if (order.do === 'swallow') watched.swallowNext(order.method)
})
// Nobody is left to be judged by.
process.on('disconnect', () => {
  if (!isStopping) process.exit()
})
report({ ready: true })
// Killed processes never come to write it themselves, and the next ones start sooner with it.
flushCompileCache()

async function stop(): Promise<void> {
  isStopping = true
  await member.stop()
  await raw.close()
  ledger.write({ k: 'stopped' })
  process.disconnect()
}

function report(what: Report): void {
  if (process.connected) process.send?.(what, () => undefined)
}

function watchForStalls(): void {
  const everyMs = 50
  let turnedAt = machineMs()
  setInterval(() => {
    const now = machineMs()
    const ms = now - turnedAt - everyMs
    if (ms > plan.leaseMs / 6) ledger.write({ k: 'stalled', ms })
    turnedAt = now
  }, everyMs).unref()
}
