import type { JobStorage } from '@q/core/storage'
import { QError } from '@q/core/storage'

/** One call to a storage, seen on its way. */
export interface CallOnTheWay {
  readonly room: string
  readonly method: string
  readonly args: readonly unknown[]
}

/**
 * What becomes of a call. `lose-request`: it never arrives. `lose-reply`: it is done, and nobody hears of it.
 * `refuse`: the storage says that it did nothing. `late`: the caller gives up, and the call arrives when `when` resolves.
 */
export type Fate =
  | 'pass'
  | 'lose-request'
  | 'lose-reply'
  | 'refuse'
  | { readonly late: Promise<void>; arrived?(outcome: PromiseSettledResult<unknown>): void }

/**
 * A storage behind a line that fails as planned, in the words of the contract: a caller that lost a request or a reply
 * cannot know which, and gets Q_AMBIGUOUS.
 */
export function unreliable(storage: JobStorage, plan: (call: CallOnTheWay) => Fate): JobStorage {
  const rooms = new Map<string, unknown>()
  return new Proxy(storage, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target)
      if (typeof value === 'function') return value.bind(target)
      if (typeof key !== 'string' || key === 'capabilities' || typeof value !== 'object' || value === null) return value
      if (!rooms.has(key)) rooms.set(key, unreliableRoom(key, value, plan))
      return rooms.get(key)
    },
  })
}

function unreliableRoom(room: string, methods: object, plan: (call: CallOnTheWay) => Fate): unknown {
  return new Proxy(methods, {
    get(target, key) {
      const value: unknown = Reflect.get(target, key, target)
      if (typeof value !== 'function') return value
      const send = async (args: readonly unknown[]): Promise<unknown> => value.apply(target, args)
      return async (...args: readonly unknown[]) => meet(plan({ room, method: String(key), args }), () => send(args))
    },
  })
}

async function meet(fate: Fate, send: () => Promise<unknown>): Promise<unknown> {
  if (fate === 'pass') return send()
  if (fate === 'refuse') throw new QError('Q_STORAGE_UNAVAILABLE', 'The storage refused the call: nothing was changed.')
  if (fate === 'lose-reply') await send()
  if (typeof fate === 'object') {
    void fate.late.then(send).then(
      (value) => fate.arrived?.({ status: 'fulfilled', value }),
      (reason: unknown) => fate.arrived?.({ status: 'rejected', reason }),
    )
  }
  throw new QError('Q_AMBIGUOUS', 'The line broke before an answer came: the call may or may not have been applied.')
}
