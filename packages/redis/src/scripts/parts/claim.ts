import { recordFlags, recordRuns, recordState, runBegun, runLengths, stateLength } from '../../codec/layout.ts'

const { handed, waiting, frail } = recordFlags
const { none, begun, begunAhead } = recordRuns

/**
 * Takes ready jobs: queues in the given order, inside a queue by priority and place. Costs what it takes, not what waits:
 * dead list entries are met once, gated jobs are set aside once. A job that was never claimed and that nothing is asked
 * of is taken from its bytes; any other goes through the ledger, in its turn.
 */
export const claim: string = /* lua */ `
local waits = {}

local function claimedState(blob, attempt, n, begun)
  return spack('${recordState}', now, attempt + 1, n + 1, 4, begun, #blob) .. blob
    .. spack('${runBegun}I4', CALLER, CALL, #blob + ${stateLength + runLengths[begun] + 4})
end

-- What follows the state of a ready job that was never claimed, whenever it entered it; false for any other.
local readyStateOf = byState(6, function(text, blob)
  local _, attempt, n, phase, kind = sunpack('${recordState}', text)
  return phase == 3 and kind == ${none} and n < 200 and {
    size = #text, here = claimedState(blob, attempt, n, ${begun}), ahead = claimedState(blob, attempt, n, ${begunAhead}),
  }
end)

-- How long a job waited, as a bucket; false for one that entered its state later than now.
local function waitSince(at)
  local ms = now - sunpack('>I6', at)
  return ms >= 0 and WAITED + bucketOf(ms)
end

-- The next members of a queue, handed-back ones before the list of their priority; and whether nothing stands behind them.
local function nextOf(queue, want)
  local back = call('ZRANGE', K.back .. queue, 0, 0)[1]
  local priorities = call('ZRANGE', K.priorities .. queue, 0, 1)
  local first = priorities[1]
  if back and (not first or sunpack('>H', back) <= tonumber(first)) then
    call('ZREM', K.back .. queue, back)
    return { sub(back, 3) }, true
  end
  if not first then return nil end
  local list = call('LPOP', K.ready .. first .. ':' .. queue, want)
  local isEmpty = not list or #list < want
  if isEmpty then call('ZREM', K.priorities .. queue, first) end
  return list or {}, false, tonumber(first), isEmpty and not back and not priorities[2]
end

-- Answers how many, and whether it stopped at a job that is not for prefetching.
local function drain(queue, want, extra, blob, most)
  local taken, stopped, plain, dead = 0, false, 0, 0
  local sets, held = {}, nil
  while taken < want + extra and examined < most do
    local list, back, prio, isLast = nextOf(queue, math.min(want + extra - taken, most - examined))
    if not list then break end
    local ids, keys = {}, {}
    for i = 1, #list do
      ids[i] = sub(list[i], 7)
      keys[i] = K.job .. ids[i]
    end
    local raw = readAll(keys)
    for i = 1, #list do
      local id, s, start, state, wait = ids[i], raw[i], nil, nil, nil
      if prio and s and taken < want + extra and not (ledger and ledger.jobs[id] ~= nil) then
        start = startOf(s)
        state = start.claims and readyStateOf(s, blob)
      end
      if state then
        local at = sub(s, -state.size, 5 - state.size)
        wait = waits[at]
        if wait == nil then
          wait = waitSince(at)
          waits[at] = wait
        end
      end
      if wait then
        if start.prio == prio and start.queue == queue and sub(s, start.size + 1, start.size + 6) == sub(list[i], 1, 6) then
          local tally = start.tally or tallied(start)
          tally[wait] = (tally[wait] or 0) + 1
          local packed = s .. (taken < want and state.here or state.ahead)
          local k = #sets
          sets[k + 1], sets[k + 2] = keys[i], packed
          held = held or listIn(listIn(gained, CALLER), claimOf(CALL, now))
          held[#held + 1] = id
          took(id, packed)
          plain, taken, examined = plain + 1, taken + 1, examined + 1
        else dead = dead + 1 end
      else
        local j = ledger and ledger.jobs[id]
        if j == nil then j = s and openLedger().known(id, s) end
        local alive = j and j.phase == 3 and sunpack('>I6', list[i]) == j.seq
          and (back or (band(j.f, ${handed + waiting}) == 0 and j.prio == prio and j.queue == queue))
        if not alive then
          if not back then dead = dead + 1 end
        elseif taken >= want then
          if band(j.f, ${frail}) ~= 0 or taken >= want + extra then
            extra, stopped = 0, true
            ledger.putBack(j)
          elseif ledger.consider(j, blob, true) then taken = taken + 1 end
        elseif ledger.consider(j, blob, false) then taken = taken + 1 end
      end
    end
    -- Only the ledger brings jobs to a queue meanwhile.
    if isLast and not ledger then break end
  end
  if dead > 0 then add('d' .. queue, -dead) end
  if plain > 0 then
    changed = true
    setAll(sets)
    add('3' .. queue, -plain)
    add('#3', -plain)
    add('4' .. queue, plain)
  end
  return taken, stopped
end

-- What a queue's limits leave room for now; nil when nothing limits it.
local function roomIn(config, active, bucket)
  local room
  if config and config.maxActive then room = config.maxActive - active end
  if config and config.rate then
    room = math.min(room or math.huge, openLedger().tokensOf(bucket, config.rate.max, config.rate.per))
  end
  return room
end

local function claimAll(c, author)
  local opening = call('ZRANGE', K.openings, 0, 0, 'WITHSCORES')
  if opening[2] and tonumber(opening[2]) <= now then
    local opened = call('ZRANGEBYSCORE', K.openings, '-inf', now, 'LIMIT', 0, 50)
    for i = 1, #opened do openLedger().offer(opened[i]) end
  end
  local blob = signedBy(c.state, author)
  local fields = {}
  for i = 1, #c.queues do
    local queue = c.queues[i][1]
    for _, kind in ipairs({ '3', '4', '5', 'c', 'w' }) do fields[#fields + 1] = kind .. queue end
  end
  local values = {}
  for i = 1, #fields, 4000 do
    local part = call('HMGET', K.queues, unpack(fields, i, math.min(i + 3999, #fields)))
    for k = 1, #part do values[i + k - 1] = part[k] end
  end
  local function counted(i, kind, prefix)
    return tonumber(values[(i - 1) * 5 + kind] or 0) + (cnt[prefix .. c.queues[i][1]] or 0)
  end
  local left, extra, most = c.max, c.extra or 0, c.max + (c.extra or 0) + 500
  local adopting = c.adopt and math.ceil(c.max / 2) or 0
  local more, adoptable, stopped = false, false, false
  -- Adopted jobs come first, within the same limits; then the queues in order.
  for round = c.adopt and 1 or 2, 2 do
    for i = 1, #c.queues do
      local entry = c.queues[i]
      local queue = entry[1]
      local ready, parked = counted(i, 1, '3') - counted(i, 5, 'w'), counted(i, 3, '5')
      local config = values[(i - 1) * 5 + 4] and munpack(values[(i - 1) * 5 + 4]) or nil
      local paused = config and config.paused
      if paused and paused['until'] and paused['until'] <= now then paused = nil end
      if round == 2 and parked > 0 then adoptable = true end
      if paused then sooner(paused['until'])
      elseif ready > 0 or parked > 0 then
        local bucket = K.bucket .. 'q' .. queue
        local room = roomIn(config, counted(i, 2, '4'), bucket)
        local open = math.min(room or math.huge, (entry[2] or math.huge) - (entry.taken or 0))
        local taken = 0
        if open > 0 and round == 1 and parked > 0 then
          taken = openLedger().adopt(queue, c.adopt, math.min(open, adopting), blob)
          adopting = adopting - taken
        elseif open > 0 and round == 2 and ready > 0 and not stopped and left + extra > 0 then
          -- Nothing is prefetched from a queue with limits, nor past it.
          local wanted = math.min(open, left)
          taken, stopped = drain(queue, wanted, room and 0 or math.min(extra, open - wanted), blob, most)
        end
        entry.taken = (entry.taken or 0) + taken
        if taken > left then
          extra = extra - (taken - left)
          left = 0
        else left = left - taken end
        if config and config.rate then
          for _ = 1, taken do openLedger().takeToken(bucket, config.rate.max, config.rate.per) end
        end
        if round == 2 then
          ready = counted(i, 1, '3') - counted(i, 5, 'w')
          room = roomIn(config, counted(i, 2, '4'), bucket)
          if room and room > 0 and ready > 0 and left == 0 and entry.taken < (entry[2] or math.huge) then stopped = true end
          if ready > 0 and (not room or room > 0) then more = true end
          if ready > 0 and config and config.rate then
            local opens = openLedger().tokenAt(bucket, config.rate.max, config.rate.per)
            if opens > now then sooner(opens) end
          end
          adoptable = adoptable and true or counted(i, 3, '5') > 0
        end
      end
    end
  end
  local due = call('ZRANGE', K.due, 0, 0, 'WITHSCORES')
  if due[2] then sooner(tonumber(due[2])) end
  -- Only the ledger shuts and opens gates.
  if ledger then opening = call('ZRANGE', K.openings, 0, 0, 'WITHSCORES') end
  if opening[2] then sooner(math.max(now, tonumber(opening[2]))) end
  return more, adoptable
end
`
