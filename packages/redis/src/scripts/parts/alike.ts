import { headLength, recordFlags, recordHead } from '../../codec/layout.ts'

const { extra, quiet, handed, waiting, children, stub, frail } = recordFlags

/** What plain claims and plain ends read of records without taking them apart. */
export const alike: string = /* lua */ `
-- The author stands last in a state.
local function signedBy(blob, by)
  if not by or by == '' then return blob end
  return sub(blob, 1, 1) .. char(byte(blob, 2) + 16) .. sub(blob, 3) .. spack('>H', #by) .. by
end

-- What many jobs have in common is read once. The text that is compared says itself how long it is, so records that agree
-- as far as the last one reached agree in that, too.
local starts, startSize = {}, 0
local function startOf(s)
  local start = starts[sub(s, 1, startSize)]
  if start then return start end
  local f, prio, ql, nl, _, _, p = sunpack('${recordHead}', s)
  startSize = ${headLength} + ql + nl
  local text = sub(s, 1, startSize)
  start = starts[text]
  if not start then
    local asks = band(f, ${extra + quiet}) == ${extra} or band(f, ${stub}) ~= 0
    start = {
      size = startSize, prio = prio, queue = sub(s, p, p + ql - 1), name = sub(s, p + ql, startSize), ended = 0,
      claims = not asks and band(f, ${handed + waiting + frail}) == 0, ends = not asks and band(f, ${children}) == 0,
    }
    starts[text] = start
  end
  return start
end

local function tallied(start)
  start.tally = tallyOf(start.queue, start.name)
  return start.tally
end

-- The same at their ends: their last states, from one character on.
local function byState(from, read)
  local states, size = {}, 0
  return function(s, blob)
    local state = states[sub(s, from - size)]
    if state == nil then
      size = sunpack('>I4', s, #s - 3)
      local text = sub(s, from - size)
      state = states[text]
      if state == nil then
        state = read(sub(s, -size), blob)
        states[text] = state
      end
    end
    return state
  end
end
`
