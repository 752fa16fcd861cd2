/**
 * Pages for people. A page reads as many records as it shows, wherever it starts; streams of phases that jobs pass
 * through hold entries of jobs that left, which are skipped within a budget.
 */
export const pages: string = /* lua */ `
local BUDGET = 4000

-- A record without what lists do not show: the data of its state, its history, the rest of its payload.
local function summary(j)
  local x = X(j)
  if j.hist ~= '' then j.hist = '' end
  local bits = byte(j.cur, 2)
  if band(bits, 2) ~= 0 then
    local p = 4
    if byte(j.cur, 3) == 0 then p = 6 + sunpack('>H', j.cur, 4) end
    if band(bits, 1) ~= 0 then p = p + 2 + sunpack('>H', j.cur, p) end
    local size = sunpack('>I4', j.cur, p)
    j.cur = sub(j.cur, 1, 1) .. char(bits - band(bits, 2) - band(bits, 4)) .. sub(j.cur, 3, p - 1) .. sub(j.cur, p + 4 + size)
  end
  if #j.payload > 260 then j.payload = sub(j.payload, 1, 260) end
  return pack(j)
end

local function isBeyond(at, id)
  if A.from and at < A.from then return false end
  if A.to and at >= A.to then return false end
  if not A.at then return true end
  if at ~= A.at then
    if A.newest then return at < A.at end
    return at > A.at
  end
  if A.newest then return id < A.id end
  return id > A.id
end

local function inOrder(a, b)
  if a[1] ~= b[1] then
    if A.newest then return a[1] > b[1] end
    return a[1] < b[1]
  end
  if A.newest then return a[2] > b[2] end
  return a[2] < b[2]
end

-- Members of a sorted set by score, from the cursor on: those of the cursor's own instant, then the next ones.
local function ofSet(key, found)
  local edge = A.newest and (A.to and A.to - 1) or A.from
  if A.at and (not edge or (A.newest and A.at < edge) or (not A.newest and A.at > edge)) then
    local ties = call('ZRANGEBYSCORE', key, A.at, A.at)
    for i = 1, #ties do if isBeyond(A.at, ties[i]) then found[#found + 1] = { A.at, ties[i] } end end
    edge = '(' .. string.format('%.0f', A.at)
  end
  local list
  if A.newest then
    list = call('ZREVRANGEBYSCORE', key, edge or '+inf', A.from or '-inf', 'WITHSCORES', 'LIMIT', 0, A.count)
  else list = call('ZRANGEBYSCORE', key, edge or '-inf', A.to and '(' .. A.to or '+inf', 'WITHSCORES', 'LIMIT', 0, A.count) end
  for i = 1, #list, 2 do found[#found + 1] = { tonumber(list[i + 1]), list[i] } end
  -- All of the last instant, so that equal ones can be put in order.
  if #list == 2 * A.count and #list > 0 then
    local last = list[#list]
    local ties, known = call('ZRANGEBYSCORE', key, last, last), {}
    for i = 1, #list, 2 do known[list[i]] = true end
    for i = 1, #ties do if not known[ties[i]] then found[#found + 1] = { tonumber(last), ties[i] } end end
  end
end

-- The same of a stream. Answers how far it looked when the budget ended it.
local function ofStream(phase, found)
  local key = K.entered .. phase
  local start = A.at
  if A.newest then
    if A.to and (not start or A.to < start) then start = A.to end
    start = start and string.format('%.0f', start) or '+'
  else
    if A.from and (not start or A.from > start) then start = A.from end
    start = start and string.format('%.0f', start) or '-'
  end
  -- A job that left and came back within a millisecond stands there twice, and counts once.
  local live, seen, known, place, lastAt = 0, 0, {}, nil, nil
  while true do
    local from = place and '(' .. place or start
    local entries
    if A.newest then entries = call('XREVRANGE', key, from, '-', 'COUNT', 16)
    else entries = call('XRANGE', key, from, '+', 'COUNT', 16) end
    if #entries == 0 then return nil end
    for i = 1, #entries do
      local at, ids = tonumber(entries[i][2][1]), entries[i][2][2]
      if lastAt and at ~= lastAt then
        if live >= A.count then return nil end
        if seen >= BUDGET then return lastAt end
        if A.newest and A.from and at < A.from then return nil end
        if not A.newest and A.to and at >= A.to then return nil end
      end
      lastAt = at
      local list = {}
      for p = 1, #ids, 26 do
        local id = sub(ids, p, p + 25)
        if isBeyond(at, id) then list[#list + 1] = id end
      end
      load(list)
      seen = seen + #ids / 26
      for k = 1, #list do
        local j = get(list[k])
        if j and j.phase == phase and j.at == at and not has(j, STUB) and not known[j.id] then
          known[j.id] = true
          live = live + 1
          found[#found + 1] = { at, list[k] }
        end
      end
      place = entries[i][1]
    end
  end
end

local function ofPhase(phase)
  local found, horizon = {}, nil
  ofSet(K.index .. phase, found)
  if phase == READY or phase == SUCCEEDED then horizon = ofStream(phase, found) end
  return found, horizon
end

-- The jobs sessions hold, claim by claim.
local function ofSessions(fps)
  local found, claims, lastAt = {}, {}, nil
  for i = 1, #fps do
    local own = claimsOf(fps[i])
    for k = 1, #own do claims[#claims + 1] = own[k] end
  end
  table.sort(claims, function(a, b)
    if A.newest then return a.at > b.at end
    return a.at < b.at
  end)
  for i = 1, #claims do
    local at = claims[i].at
    if #found >= A.count and at ~= lastAt then break end
    lastAt = at
    -- Whatever stands between '' and '~': of the cursor's own instant each job is asked.
    if at == A.at or isBeyond(at, '') then
      local list = heldSince(claims[i])
      for k = 1, #list do
        if isBeyond(list[k].at, list[k].id) then found[#found + 1] = { list[k].at, list[k].id } end
      end
    end
  end
  return found
end

local function ofParent(id)
  local found, ids = {}, call('ZREVRANGE', K.children .. id, 0, 9999)
  load(ids)
  for i = 1, #ids do
    local j = get(ids[i])
    if j and not has(j, STUB) and isBeyond(j.at, ids[i]) then found[#found + 1] = { j.at, ids[i] } end
  end
  return found
end

-- The page: what it looked at last, whether that was all, then ids and records.
local function replyWith(found, horizon)
  table.sort(found, inOrder)
  local reply, ids, last = { '' }, {}, nil
  local shown = 0
  for i = 1, #found do
    if not last or found[i][2] ~= last[2] then
      if shown == A.count then
        horizon = nil
        break
      end
      shown = shown + 1
      ids[shown] = found[i][2]
      last = found[i]
    end
  end
  local more = #found > shown and shown == A.count
  load(ids)
  for i = 1, shown do
    local j = get(ids[i])
    if j then
      reply[#reply + 1] = ids[i]
      reply[#reply + 1] = summary(j)
    end
  end
  if horizon and not more then last = { horizon, A.newest and '' or '~' } end
  reply[1] = mpack({ last = last, more = more or horizon ~= nil or shown == A.count })
  return reply
end

-- The place in a list before which all sequence numbers are at most seq.
local function placeAfter(key, seq)
  local low, high = 0, call('LLEN', key)
  while low < high do
    local middle = floor((low + high) / 2)
    if sunpack('>I6', call('LINDEX', key, middle)) <= seq then low = middle + 1 else high = middle end
  end
  return low
end

-- Up to count places of ready jobs in the order of claims, waiters of gates among them.
local function claimOrder(queue, after, count)
  local found = {}
  local low = after and '(' .. after or '-'
  for _, family in ipairs({ K.back, K.aside }) do
    local list = call('ZRANGEBYLEX', family .. queue, low, '+', 'LIMIT', 0, count)
    for i = 1, #list do found[#found + 1] = list[i] end
  end
  local afterPrio, afterSeq = -1, -1
  if after then afterPrio, afterSeq = sunpack('>HI6', after) end
  local listed = 0
  for _, prio in ipairs(call('ZRANGE', K.priorities .. queue, 0, -1)) do
    local p = tonumber(prio)
    if listed >= count then break end
    if p >= afterPrio then
      local key = K.ready .. prio .. ':' .. queue
      local at = p == afterPrio and placeAfter(key, afterSeq) or 0
      local seen = 0
      while listed < count and seen < BUDGET do
        local entries = call('LRANGE', key, at, at + count - 1)
        if #entries == 0 then break end
        local ids = {}
        for i = 1, #entries do ids[i] = sub(entries[i], 7) end
        load(ids)
        for i = 1, #entries do
          local j = get(ids[i])
          if j and j.phase == READY and j.seq == sunpack('>I6', entries[i]) and j.prio == p and j.queue == queue
            and not has(j, HANDED) and not has(j, WAITING) then
            found[#found + 1] = spack('>H', p) .. entries[i]
            listed = listed + 1
          end
        end
        seen = seen + #entries
        at = at + #entries
      end
    end
  end
  table.sort(found)
  for i = #found, count + 1, -1 do found[i] = nil end
  return found
end

local function oldestReady(queue)
  local first = claimOrder(queue, nil, 1)[1]
  if not first then return nil end
  local j = get(sub(first, 9))
  return j and (j.ready or j.at) or nil
end

-- How many ready jobs stand before this one, and whether that is exact: dead entries count until they are met.
local function aheadOf(j)
  local own = spack('>HI6', j.prio, j.seq) .. j.id
  local n = call('ZLEXCOUNT', K.back .. j.queue, '-', '(' .. own) + call('ZLEXCOUNT', K.aside .. j.queue, '-', '(' .. own)
  for _, prio in ipairs(call('ZRANGE', K.priorities .. j.queue, 0, -1)) do
    local key, p = K.ready .. prio .. ':' .. j.queue, tonumber(prio)
    if p < j.prio then n = n + call('LLEN', key)
    elseif p == j.prio then n = n + placeAfter(key, j.seq - 1) end
  end
  return n, call('HGET', K.queues, 'd' .. j.queue) == false
end
`
