import { headLength, recordFlags, recordHead, recordRuns, recordState, runLengths, stateLength } from '../../codec.ts'

const { extra, quiet, handed, waiting, children, stub, frail } = recordFlags
const { ended, whole } = recordRuns

/**
 * Plain ends: a job this session holds has succeeded, and nothing else is to be said. Such a transition comes as one text
 * (id, call, duration, its bucket, state), and a job that asks for nothing more at its end is ended from its bytes. Whatever
 * is not as plain as it looked is a step like any other.
 */
export const endPlain: string = /* lua */ `
local consumer = CALLER .. spack('>I5', CALL)

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

-- A claim of this session; false for any other state, and for one that was entered later than now.
local heldStateOf = byState(0, function(text)
  local at, attempt, n, phase, kind, size, p = sunpack('${recordState}', text)
  if phase ~= 4 or n >= 200 or at > now then return false end
  local fp, number = sunpack('>c8c5', text, p + size + (kind >= ${whole} and 17 or 0))
  return fp == CALLER and { call = number, attempt = attempt, n = n, ends = {} }
end)

local function stepOf(text)
  return { sub(text, 1, 26), CALLER, sunpack('>I5', text, 27), sub(text, 37), sunpack('>I4', text, 32), byte(text, 36), false }
end

-- Ends the plain transitions of a list from one place to another, and writes their records: the next step may ask for them.
local function endPlain(list, from, to, outcomes)
  local ids, keys, sets, left, isEnded, kinds = {}, {}, {}, {}, {}, {}
  for i = from, to do
    local k = i - from + 1
    ids[k] = sub(list[i], 1, 26)
    keys[k] = K.job .. ids[k]
  end
  local raw = readAll(keys)
  local leaving, entering
  for i = from, to do
    local k, text, start, state = i - from + 1, list[i], nil, nil
    local id, s = ids[k], raw[k]
    if s and not isEnded[id] and not (ledger and ledger.jobs[id] ~= nil) then
      start = startOf(s)
      state = start.ends and heldStateOf(s)
    end
    if state and state.call == sub(text, 27, 31) then
      local blob = sub(text, 37)
      local last = state.ends[blob]
      if not last then
        local whole = signedBy(blob, SERVER)
        last = {
          spack('${recordState}', now, state.attempt, state.n + 1, 6, ${ended}, #whole) .. whole,
          consumer .. spack('>I4', #whole + ${stateLength + runLengths[ended] + 4}),
        }
        state.ends[blob] = last
      end
      if start.ended == 0 then kinds[#kinds + 1] = start end
      start.ended = start.ended + 1
      local bucket, tally = byte(text, 36), start.tally or tallied(start)
      tally[bucket] = (tally[bucket] or 0) + 1
      local size = #sets
      sets[size + 1], sets[size + 2] = keys[k], s .. last[1] .. sub(text, 32, 35) .. last[2]
      isEnded[id] = true
      if not leaving then leaving, entering = listIn(outs, CALLER), listIn(listIn(streams, 6), now) end
      leaving[#leaving + 1] = id
      entering[#entering + 1] = id
      outcomes[i] = 0
    else left[#left + 1] = i end
  end
  if #sets > 0 then
    changed = true
    setAll(sets)
    for i = 1, #kinds do
      local start = kinds[i]
      start.tally.o = (start.tally.o or 0) + start.ended
      add('4' .. start.queue, -start.ended)
      add('6' .. start.queue, start.ended)
      add('#6', start.ended)
      start.ended = 0
    end
  end
  for k = 1, #left do
    local i = left[k]
    local id, s = ids[i - from + 1], raw[i - from + 1]
    if s and not isEnded[id] then openLedger().known(id, s) end
    outcomes[i] = openLedger().step(stepOf(list[i]))
  end
end
`
