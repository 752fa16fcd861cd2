import { base } from './parts/base.ts'
import { script } from './script.ts'
import type { Script } from './script.ts'

/** One key per held lock, which goes by itself; one row of numbers for all, so that a fence grows whatever was forgotten. */
export const acquire: Script<{ name: string; owner: string; ttl: number }> = script(
  'acquire',
  [
    base,
    /* lua */ `
    local key = K.lock .. A.name
    local held = call('GET', key)
    local fence
    if held then
      local number, owner = string.match(held, '^(%d+) (.*)$')
      if owner ~= A.owner then return false end
      fence = number
    else fence = string.format('%.0f', call('HINCRBY', K.meta, 'fences', 1)) end
    call('SET', key, fence .. ' ' .. A.owner, 'PX', A.ttl)
    return { fence, string.format('%.0f', now + A.ttl) }
    `,
  ],
  { runsWhenFull: true },
)

/** Only its owner unlocks. */
export const release: Script<{ name: string; owner: string; publish: string }> = script(
  'release',
  [
    base,
    /* lua */ `
    local key = K.lock .. A.name
    local held = call('GET', key)
    if not held or string.match(held, '^%d+ (.*)$') ~= A.owner then return 0 end
    call('DEL', key)
    call(A.publish, K.wakeups, mpack({ l = { A.name } }))
    return 1
    `,
  ],
  { runsWhenFull: true },
)
