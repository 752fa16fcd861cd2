import { sleep } from '../clock.ts'
import { isQError } from '../errors.ts'
import { randomText } from '../jobs/job-id.ts'
import { jittered } from '../storage-calls/persist.ts'
import type { SessionId } from '../storage/job.ts'
import type { Pacemaker } from '../storage/work.ts'
import type { ServerCore } from './server-core.ts'
import type { ServerInfo } from './server-info.ts'

const longestWaitMs = 5000
const momentMs = 100

/**
 * The lease of a server: one for all it runs. `provenAt` is when the last answered call was sent, on the clock that
 * never jumps; a lease that cannot be proven is given up before the storage may give it to others.
 */
export class ServerSession {
  id: SessionId = ''
  /** The last call number used. */
  call = 0
  provenAt = 0
  /** When the storage last answered anything at all. */
  answeredAt = 0
  isOpen = false
  /** The storage's clock, less our own that never jumps. */
  #offsetMs: number | null = null

  readonly #core: ServerCore
  readonly #info: ServerInfo
  #pacemaker: Pacemaker | null = null

  constructor(core: ServerCore, info: ServerInfo) {
    this.#core = core
    this.#info = info
  }

  /** Opens a new one, waiting out whatever is in the way. What the former one still held is handed back without charge. */
  async open(signal: AbortSignal): Promise<void> {
    const { clock, storage, ttlMs, name, logger } = this.#core
    const replaces = this.id === '' ? undefined : this.id
    let id = randomText(clock, 20)
    this.isOpen = false
    await this.#pacemaker?.close().catch(() => undefined)
    this.#pacemaker = null
    for (let waitMs = 50; ; waitMs = Math.min(waitMs * 2, longestWaitMs)) {
      signal.throwIfAborted()
      const sentAt = clock.monotonic()
      try {
        await storage.work.open({ id, server: name, ttl: ttlMs, info: JSON.stringify(this.#info), replaces })
        this.id = id
        this.call = 0
        this.isOpen = true
        this.proven(sentAt)
        this.#pacemaker = storage.work.pacemaker?.(id, { ttl: ttlMs, maxStall: 5 * ttlMs }) ?? null
        if (!signal.aborted) return
        // A stop did not wait for this answer.
        await this.end().catch(() => undefined)
      } catch (error) {
        if (!isQError(error)) throw error
        // It was opened without our hearing of it, and given up for lost since: its id is refused from now on.
        if (isQError(error, 'Q_SESSION_LOST')) id = randomText(clock, 20)
        logger.warn('the session could not be opened; trying again', { server: name, error: error.message })
        await sleep(clock, jittered(clock, waitMs), signal)
      }
    }
  }

  /** An answer came to what was sent at this moment. */
  proven(sentAt: number): void {
    this.provenAt = Math.max(this.provenAt, sentAt)
    this.answeredAt = this.#core.clock.monotonic()
    this.#pacemaker?.tick(this.silentMs())
  }

  /** The storage said what time it is. */
  heardNow(now: number): void {
    this.#offsetMs = now - this.#core.clock.monotonic()
  }

  /** How far off an instant of the storage's clock is; 0 when it is past, and a moment when nobody said yet what time it is. */
  until(at: number): number {
    return this.#offsetMs === null ? momentMs : Math.max(0, at - this.#offsetMs - this.#core.clock.monotonic())
  }

  /** Our own loop has turned: the pacemaker may go on renewing for us. */
  tick(): void {
    this.#pacemaker?.tick()
  }

  get renewsItself(): boolean {
    return this.#pacemaker !== null
  }

  /** How long nobody has confirmed the lease. */
  silentMs(): number {
    return this.#core.clock.monotonic() - this.provenAt
  }

  /** Nobody confirmed the lease for five sixths of its time: the storage may soon give what it holds to others. */
  isStale(): boolean {
    return this.silentMs() >= (this.#core.ttlMs * 5) / 6
  }

  async end(): Promise<void> {
    await this.#pacemaker?.close().catch(() => undefined)
    this.#pacemaker = null
    if (this.isOpen) await this.#core.storage.work.end(this.id)
    this.isOpen = false
  }
}
