import { base } from './parts/base.ts'
import { script } from './script.ts'
import type { Packable } from '../msgpack.ts'
import type { Script } from './script.ts'

/** Changes the configuration of a queue; every server hears of it. */
export const configureQueue: Script<{
  queue: string
  change: { readonly [key: string]: Packable }
  publish: string
}> = script(
  'configure-queue',
  [
    base,
    /* lua */ `
    local text = call('HGET', K.queues, 'c' .. A.queue)
    local config = text and munpack(text) or {}
    -- What was cleared stays written as false: readers tell it from what was never set.
    for field, value in pairs(A.change) do config[field] = value end
    call('HSET', K.queues, 'c' .. A.queue, mpack(config))
    if call('ZADD', K.names .. 'queue', now, A.queue) == 1 then call('HINCRBY', K.meta, 'names', 1) end
    call('HINCRBY', K.meta, 'config', 1)
    call('HINCRBY', K.meta, 'changes', 1)
    call(A.publish, K.wakeups, mpack({ q = { A.queue }, c = true }))
    return 'OK'
    `,
  ],
  { runsWhenFull: true },
)
