import { createRequire } from 'node:module'
import { Worker } from 'node:worker_threads'
import { signsOfLife } from '@q/core/storage'
import type { Ms, Pacemaker, SessionId, SignsOfLife } from '@q/core/storage'
import type { Engine } from './engine.ts'

/** What the thread is told. */
interface Beat {
  readonly driver: string
  readonly path: string
  readonly table: string
  readonly session: SessionId
  readonly ttl: Ms
  readonly maxStall: Ms
  readonly signs: SignsOfLife['signs']
}

/**
 * The whole thread, as text: it needs no file of its own, whether this package runs from source or bundled. It renews the
 * session unless that is recovered, as long as the event loop it stands in for has turned lately. What that has renewed
 * itself needs no beat: each of ours would make it read anew what it knows. The file is opened at the first one.
 */
const thread = `
const { parentPort, workerData: beat } = require('node:worker_threads')
const Database = require(beat.driver)
const { signs, ttl, maxStall, session } = beat
const now = "cast(round(unixepoch('now', 'subsec') * 1000) as integer)"
const clockMs = () => Number(process.hrtime.bigint() / 1000000n)
let database, renew
const open = () => {
  database = new Database(beat.path, { timeout: 1000, fileMustExist: true })
  renew = database.prepare(
    'update ' + beat.table + ' set seen = ' + now + ', suspect = null where id = ? and buried = 0 and seen < ' + now + ' - ?')
}
let beatAt = clockMs()
const timer = setInterval(() => {
  const silentMs = clockMs() - Number(Atomics.load(signs, 0))
  if (silentMs > maxStall) return
  const everyMs = silentMs < ttl / 6 ? ttl * 0.4 : ttl / 4
  if (clockMs() - Math.max(beatAt, Number(Atomics.load(signs, 1))) < everyMs) return
  try {
    if (renew === undefined) open()
    renew.run(session, ttl / 6)
    beatAt = clockMs()
  } catch (error) {
    if (!String(error.code).startsWith('SQLITE_')) throw error
  }
}, Math.max(5, ttl / 12))
parentPort.once('message', () => {
  clearInterval(timer)
  database?.close()
  parentPort.close()
})
`

/** Renews a session from a thread and a connection of its own: a busy event loop does not lose its lease, a dead one does. */
export function startPacemaker(
  engine: Engine,
  session: SessionId,
  { ttl, maxStall }: { readonly ttl: Ms; readonly maxStall: Ms },
): Pacemaker {
  const { signs, tick } = signsOfLife()
  const beat: Beat = {
    driver: createRequire(import.meta.url).resolve('better-sqlite3'),
    path: engine.path,
    table: engine.tables.session,
    session,
    ttl,
    maxStall,
    signs,
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
