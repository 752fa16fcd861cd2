import { recordRuns, recordState, runLengths, stateLength } from '../../codec/layout.ts'

const { ended, whole } = recordRuns

/**
 * Plain ends: a job this session holds has succeeded, and nothing else is to be said. Such transitions come by kind (ids,
 * calls, durations, their buckets, states), and a job that asks for nothing more at its end is ended from its bytes.
 * Whatever is not as plain as it looked is a step like any other.
 */
export const endPlain: string = /* lua */ `
local consumer = CALLER .. spack('>I5', CALL)

-- A claim of this session; false for any other state, and for one that was entered later than now.
local heldStateOf = byState(0, function(text)
  local at, attempt, n, phase, kind, size, p = sunpack('${recordState}', text)
  if phase ~= 4 or n >= 200 or at > now then return false end
  local fp, number = sunpack('>c8c5', text, p + size + (kind >= ${whole} and 17 or 0))
  return fp == CALLER and { call = number, number = sunpack('>I5', number), at = at, attempt = attempt, n = n, ends = {}, ended = 0 }
end)

-- What this call ended, for whoever asks later: its own jobs as ids and calls, others whole.
local receipts = { ids = {}, calls = {}, others = {} }

local function isDone(outcome) return outcome == 0 or (type(outcome) == 'table' and outcome[1] == 'a') end

local function receive(id, number, fp)
  if fp == CALLER then
    receipts.ids[#receipts.ids + 1], receipts.calls[#receipts.calls + 1] = id, number
  else receipts.others[#receipts.others + 1] = id .. number .. fp end
end

-- One piece is nearly always all there is, and joining would make it anew.
local function joined(list) return #list == 1 and list[1] or table.concat(list) end

-- Two calls may be under way, and both may have to be told of.
local function writeReceipts()
  local key, turn = K.session .. CALLER, CALL % 2
  if #receipts.ids + #receipts.others == 0 then call('HSET', key, 'call', CALL)
  else
    call('HSET', key, 'call', CALL, 'doneCall' .. turn, CALL, 'doneIds' .. turn, joined(receipts.ids),
      'doneCalls' .. turn, joined(receipts.calls), 'done' .. turn, joined(receipts.others))
  end
end

-- Ends plain transitions, and writes their records: the next step may ask for them.
local function endPlain(group, outcomes)
  local n, allIds, calls, ran, buckets, blobs = unpack(group)
  local ids, keys, sets, left, isEnded, kinds, before = {}, {}, {}, {}, {}, {}, #outcomes
  for k = 1, n do
    ids[k] = sub(allIds, 26 * k - 25, 26 * k)
    keys[k] = K.job .. ids[k]
  end
  local raw = readAll(keys)
  local held, entering = {}, nil
  for k = 1, n do
    local id, s, start, state = ids[k], raw[k], nil, nil
    if s and not isEnded[id] and not (ledger and ledger.jobs[id] ~= nil) then
      start = startOf(s)
      state = start.ends and heldStateOf(s)
    end
    if state and state.call == sub(calls, 5 * k - 4, 5 * k) then
      local blob = blobs[k] or blobs[1]
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
      local bucket, tally = byte(buckets, k), start.tally or tallied(start)
      tally[bucket] = (tally[bucket] or 0) + 1
      local size = #sets
      sets[size + 1], sets[size + 2] = keys[k], s .. last[1] .. sub(ran, 4 * k - 3, 4 * k) .. last[2]
      isEnded[id] = true
      if state.ended == 0 then held[#held + 1] = state end
      state.ended = state.ended + 1
      entering = entering or listIn(listIn(streams, 6), now)
      entering[#entering + 1] = id
      outcomes[before + k] = 0
    else
      left[#left + 1] = k
      outcomes[before + k] = 2
    end
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
    for i = 1, #held do
      give(CALLER, claimOf(held[i].number, held[i].at), held[i].ended)
      held[i].ended = 0
    end
  end
  if #left == 0 then return receive(allIds, calls, CALLER) end
  for i = 1, #left do
    local k = left[i]
    if raw[k] and not isEnded[ids[k]] then openLedger().known(ids[k], raw[k]) end
    outcomes[before + k] = openLedger().step({
      ids[k], CALLER, sunpack('>I5', calls, 5 * k - 4), blobs[k] or blobs[1], sunpack('>I4', ran, 4 * k - 3), byte(buckets, k), false,
    })
  end
  for k = 1, n do
    if isDone(outcomes[before + k]) then receive(ids[k], sub(calls, 5 * k - 4, 5 * k), CALLER) end
  end
end
`
