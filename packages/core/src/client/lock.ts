import { sleep } from '../clock.ts'
import { QError, isQError } from '../errors.ts'
import { randomText } from '../jobs/job-id.ts'
import { checkName } from '../jobs/name.ts'
import type { Duration } from '../schedule/duration.ts'
import { parseDuration } from '../schedule/duration.ts'
import type { LockGrant } from '../storage/locks.ts'
import type { ClientCore } from './client-core.ts'
import { watchUntil } from './watch-until.ts'

export interface LockOptions {
  /** How long the lock outlives its holder's last sign of life. It is renewed at a third of it. */
  readonly ttl: Duration
  /** How long to wait for it. Default: not at all. */
  readonly wait?: Duration | undefined
  readonly signal?: AbortSignal | undefined
}

export interface Lock extends AsyncDisposable {
  readonly name: string
  /** Grows with every grant: give it to what the lock protects, and refuse smaller ones there. */
  readonly fence: number
  /** Aborts when the lock could not be renewed in time: somebody else may hold it now. */
  readonly signal: AbortSignal
  release(): Promise<boolean>
}

export async function acquireLock(core: ClientCore, name: string, options: LockOptions): Promise<Lock> {
  checkName('lock name', name)
  const ttlMs = parseDuration(options.ttl, { option: 'ttl', minMs: 100 })
  const owner = randomText(core.clock, 20)
  const sentAt = core.clock.monotonic()
  const grant =
    (await core.storage.locks.acquire(name, owner, ttlMs)) ?? (await waitForGrant(core, name, owner, ttlMs, options))
  return hold(core, grant, ttlMs, sentAt)
}

async function waitForGrant(
  core: ClientCore,
  name: string,
  owner: string,
  ttlMs: number,
  options: LockOptions,
): Promise<LockGrant> {
  const waitMs = options.wait === undefined ? 0 : parseDuration(options.wait, 'wait')
  const busy = new QError(
    'Q_LOCK_BUSY',
    `The lock "${name}" is held by another owner${waitMs === 0 ? '. Give `wait` to wait for it' : `, and was not released within ${waitMs} ms`}.`,
  )
  if (waitMs === 0) throw busy
  return watchUntil(
    core,
    { lock: name },
    async () => (await core.storage.locks.acquire(name, owner, ttlMs)) ?? undefined,
    { signal: options.signal, timeout: { ms: waitMs, error: () => busy } },
  )
}

function hold(core: ClientCore, grant: LockGrant, ttlMs: number, sentAt: number): Lock {
  const lost = new AbortController()
  const stop = new AbortController()
  const renewing = renew(core, grant, ttlMs, sentAt, lost, stop.signal)
  const release = async (): Promise<boolean> => {
    stop.abort()
    await renewing
    return core.storage.locks.release(grant.name, grant.owner)
  }
  return {
    name: grant.name,
    fence: grant.fence,
    signal: lost.signal,
    release,
    [Symbol.asyncDispose]: async () => void (await release()),
  }
}

/** Counted from the sending of the last answered renewal, so that we let go before the storage does. */
async function renew(
  core: ClientCore,
  grant: LockGrant,
  ttlMs: number,
  sentAt: number,
  lost: AbortController,
  stop: AbortSignal,
): Promise<void> {
  let provenAt = sentAt
  while (!stop.aborted && !lost.signal.aborted) {
    await sleep(core.clock, ttlMs / 3, stop).catch(() => undefined)
    if (stop.aborted) return
    const askedAt = core.clock.monotonic()
    try {
      const renewed = await core.storage.locks.acquire(grant.name, grant.owner, ttlMs)
      if (renewed?.fence === grant.fence) provenAt = askedAt
      else lost.abort(lostError(grant))
    } catch (error) {
      if (!isQError(error)) throw error
      if (core.clock.monotonic() - provenAt > ttlMs * 0.8) lost.abort(lostError(grant))
    }
  }
}

function lostError(grant: LockGrant): QError {
  return new QError(
    'Q_LOCK_LOST',
    `The lock "${grant.name}" could not be renewed in time; somebody else may hold it. Stop what it protects.`,
  )
}
