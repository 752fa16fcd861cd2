import { recordFlags } from '../../codec.ts'

const { extra, quiet, children, prefetched, stub } = recordFlags

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

-- What the record of a plain running job begins with once it has succeeded; false for a job that is not plain.
local lastStarts = {}
local function lastStartOf(start)
  local phase, f, n = sunpack('>BHI3', start)
  if phase ~= 4 or n >= 200 or band(f, ${children + stub}) ~= 0 or band(f, ${extra + quiet}) == ${extra} then return false end
  return spack('>BHI3', 6, f - band(f, ${prefetched}), n + 1) .. nowBytes
end

local function stepOf(text)
  return { sub(text, 1, 26), CALLER, sunpack('>I5', text, 27), sub(text, 37), sunpack('>I4', text, 32), byte(text, 36), false }
end

local passed, states = {}, {}

-- Ends the plain transitions of a list from one place to another, and writes their records: the next step may ask for them.
-- In the record of a claimed job: 1 phase, flags, n; 7 at; 17 attempt; 36 token; 75 lengths of the names; 89 names.
local function endPlain(list, from, to, outcomes)
  local ids, keys, sets, left, ended, queues = {}, {}, {}, {}, {}, {}
  for i = from, to do
    local k = i - from + 1
    ids[k] = sub(list[i], 1, 26)
    keys[k] = K.job .. ids[k]
  end
  local raw = readAll(keys)
  local leaving, entering
  for i = from, to do
    local text, id, s, start = list[i], ids[i - from + 1], raw[i - from + 1], false
    if s and not ended[id] and not (ledger and ledger.jobs[id] ~= nil) then
      local first = sub(s, 1, 6)
      start = lastStarts[first]
      if start == nil then
        start = lastStartOf(first)
        lastStarts[first] = start
      end
    end
    local at = start and sub(s, 7, 12)
    if start and passed[at] == nil then passed[at] = sunpack('>I6', at) <= now end
    if start and passed[at] and sub(s, 36, 43) == CALLER and sub(s, 44, 48) == sub(text, 27, 31) then
      local blob, attempt = sub(text, 37), sub(s, 17, 18)
      local state = states[blob]
      if not state then
        local whole = signedBy(blob, SERVER)
        state = { size = spack('>I4', #whole), whole = whole }
        states[blob] = state
      end
      local last = state[attempt]
      if not last then
        last = nowBytes .. attempt .. state.size .. state.whole
        state[attempt] = last
      end
      local lengths = sub(s, 75, 78)
      local sizes = queues[lengths]
      if not sizes then
        local ql, nl = sunpack('>HH', lengths)
        sizes = { ql = ql, all = 88 + ql + nl, lanes = {} }
        queues[lengths] = sizes
      end
      local names = sub(s, 89, sizes.all)
      local lane = sizes.lanes[names]
      if not lane then
        local queue = sub(names, 1, sizes.ql)
        lane = { queue = queue, tally = tallyOf(queue, sub(names, sizes.ql + 1)), n = 0 }
        sizes.lanes[names] = lane
      end
      local bucket = byte(text, 36)
      lane.n = lane.n + 1
      lane.tally[bucket] = (lane.tally[bucket] or 0) + 1
      local k = #sets
      sets[k + 1] = keys[i - from + 1]
      sets[k + 2] = start .. state.size .. attempt .. sub(text, 32, 35) .. consumer .. sub(s, 36) .. last
      ended[id] = true
      if not leaving then leaving, entering = listIn(outs, CALLER), listIn(listIn(streams, 6), now) end
      leaving[#leaving + 1] = id
      entering[#entering + 1] = id
      outcomes[i] = 0
    else left[#left + 1] = i end
  end
  if #sets > 0 then
    changed = true
    setAll(sets)
    for _, sizes in pairs(queues) do
      for _, lane in pairs(sizes.lanes) do
        lane.tally.o = (lane.tally.o or 0) + lane.n
        add('4' .. lane.queue, -lane.n)
        add('6' .. lane.queue, lane.n)
        add('#6', lane.n)
      end
    end
  end
  for k = 1, #left do
    local i = left[k]
    local id, s = ids[i - from + 1], raw[i - from + 1]
    if s and not ended[id] then openLedger().known(id, s) end
    outcomes[i] = openLedger().step(stepOf(list[i]))
  end
end
`
