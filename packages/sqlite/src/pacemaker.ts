import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'
import type { Ms, Pacemaker, SessionId } from '@q/core/storage'
import type { Engine } from './engine.ts'

/** What the thread is told. */
interface Beat {
  readonly driver: string
  readonly path: string
  readonly table: string
  readonly session: SessionId
  readonly ttl: Ms
  readonly maxStall: Ms
  /** The instant of the last tick, in milliseconds of the process's monotonic clock. */
  readonly ticked: SharedArrayBuffer
}

/**
 * The whole thread, as text: it needs no file of its own, whether this package runs from source or bundled. It renews the
 * session unless that is recovered, as long as the event loop it stands in for has turned lately.
 */
const thread = `
const { parentPort, workerData: beat } = require('node:worker_threads')
const Database = require(beat.driver)
const ticked = new BigInt64Array(beat.ticked)
const database = new Database(beat.path, { timeout: 1000, fileMustExist: true })
const now = "cast(round(unixepoch('now', 'subsec') * 1000) as integer)"
const renew = database.prepare(
  'update ' + beat.table + ' set seen = ' + now + ', suspect = null where id = ? and buried = 0 and seen < ' + now + ' - ?')
const timer = setInterval(() => {
  const silentMs = Number(process.hrtime.bigint() / 1000000n - Atomics.load(ticked, 0))
  if (silentMs > beat.maxStall) return
  try {
    renew.run(beat.session, beat.ttl / 6)
  } catch (error) {
    if (!String(error.code).startsWith('SQLITE_')) throw error
  }
}, Math.max(5, beat.ttl / 4))
parentPort.once('message', () => {
  clearInterval(timer)
  database.close()
  parentPort.close()
})
`

/** Renews a session from a thread and a connection of its own: a busy event loop does not lose its lease, a dead one does. */
export function startPacemaker(
  engine: Engine,
  session: SessionId,
  { ttl, maxStall }: { readonly ttl: Ms; readonly maxStall: Ms },
): Pacemaker {
  const ticked = new SharedArrayBuffer(8)
  const lastTick = new BigInt64Array(ticked)
  const tick = (): void => void Atomics.store(lastTick, 0, process.hrtime.bigint() / 1_000_000n)
  tick()
  const beat: Beat = {
    driver: createRequire(import.meta.url).resolve('better-sqlite3'),
    path: engine.path,
    table: engine.tables.session,
    session,
    ttl,
    maxStall,
    ticked,
  }
  const worker = new Worker(thread, { eval: true, workerData: beat })
  worker.unref()
  const ended = new Promise<void>((resolve) => {
    // Without it the server renews by itself, as it would without a pacemaker.
    worker.once('error', () => resolve())
    worker.once('exit', () => resolve())
  })
  return {
    tick,
    async close() {
      worker.postMessage('close')
      worker.ref()
      await ended
    },
  }
}
