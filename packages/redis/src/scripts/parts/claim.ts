/**
 * Takes ready jobs: queues in the given order, inside a queue by priority and place. Costs what it takes, not what waits:
 * dead list entries are met once, gated jobs are set aside once.
 */
export const claim: string = /* lua */ `
local claimed, examined = {}, 0
local nextDue

local function sooner(at) if at and (not nextDue or at < nextDue) then nextDue = at end end

local function take(j, blob, prefetched, busy, popped)
  if not j.ready then j.ready = j.at end
  leave(j, nil, nil, popped)
  push(j, blob)
  j.phase = ACTIVE
  j.attempt = j.attempt + 1
  j.fp, j.call, j.cfp, j.ccall, j.claimed, j.ran = CALLER, CALL, NOBODY, 0, now, 4294967295
  if prefetched then set(j, PREFETCHED) end
  count(j, 1)
  tell(j, WAITED + bucketOf(now - j.ready))
  if j.xs ~= '' or j.x then
    local x = X(j)
    if x.u and x.u.claimed then freeUnique(j); x.u = nil end
    if busy then x.busy = busy[1] end
  end
  claimed[#claimed + 1] = { j, busy }
end

local function expire(j, popped)
  leave(j, nil, nil, popped)
  if X(j).open then dropEdges(j) end
  push(j, EXPIRED)
  toFinal(j, DELETED)
end

-- One job that is next in its queue: taken, expired, or set aside. True when it was taken.
local function consider(j, blob, prefetched)
  examined = examined + 1
  if j.xs == '' and not j.x then
    take(j, blob, prefetched, nil, true)
    return true
  end
  local x = X(j)
  if x.exp and x.exp <= now and j.attempt == 0 then
    expire(j, true)
    return false
  end
  if x.gates then
    if x.offered then unoffer(j) end
    local open, gate, opensAt, tells = enterGates(j)
    if not open then
      if tells then
        local holder = call('SRANDMEMBER', K.holders .. gate.key)
        take(j, blob, false, { gate.key, holder }, true)
        return true
      end
      setAside(j, gate, opensAt)
      sooner(opensAt)
      for i = 1, #x.gates do
        local other = x.gates[i]
        if other.key ~= gate.key and call('EXISTS', K.waitingQueues .. other.key) == 1 then offer(other.key) end
      end
      return false
    end
  end
  take(j, blob, prefetched, nil, true)
  return true
end

-- The next members of a queue, handed-back ones before the list of their priority.
local function nextOf(queue, want)
  local back = call('ZRANGE', K.back .. queue, 0, 0)[1]
  local first = call('ZRANGE', K.priorities .. queue, 0, 0)[1]
  if back and (not first or sunpack('>H', back) <= tonumber(first)) then
    call('ZREM', K.back .. queue, back)
    return { sub(back, 3) }, true
  end
  if not first then return nil end
  local list = call('LPOP', K.ready .. first .. ':' .. queue, want)
  if not list or #list < want then call('ZREM', K.priorities .. queue, first) end
  return list or {}, false, tonumber(first)
end

-- Puts back what was popped and not taken.
local function putBack(j)
  touch(j)
  if not has(j, HANDED) then set(j, HANDED) end
  call('ZADD', K.back .. j.queue, 0, spot(j))
end

-- Answers how many, and whether it stopped at a job that is not for prefetching.
local function drain(queue, want, extra, blob, most)
  local taken, stopped = 0, false
  while taken < want + extra and examined < most do
    local list, back, prio = nextOf(queue, math.min(want + extra - taken, most - examined))
    if not list then break end
    local ids = {}
    for i = 1, #list do ids[i] = sub(list[i], 7) end
    load(ids)
    for i = 1, #list do
      local j = get(ids[i])
      local alive = j and j.phase == READY and sunpack('>I6', list[i]) == j.seq
        and (back or (not has(j, HANDED) and not has(j, WAITING) and j.prio == prio and j.queue == queue))
      if not alive then
        if not back then add('d' .. queue, -1) end
      elseif taken >= want then
        if has(j, FRAIL) or taken >= want + extra then
          extra, stopped = 0, true
          putBack(j)
        elseif consider(j, blob, true) then taken = taken + 1 end
      elseif consider(j, blob, false) then taken = taken + 1 end
    end
  end
  return taken, stopped
end

-- Takes parked jobs of one queue that this server knows, by place. At shut gates they stay where they are.
local function adopt(queue, names, most, blob)
  local members, taken = {}, 0
  for i = 1, #names do
    local found = call('ZRANGE', K.parked .. #queue .. ':' .. queue .. ':' .. names[i], 0, most + 499)
    for k = 1, #found do members[#members + 1] = found[k] end
  end
  table.sort(members)
  for i = 1, #members do
    if taken >= most then break end
    local j = get(sub(members[i], 9))
    local x = X(j)
    local open, gate, opensAt, tells = true, nil, nil, nil
    if x.exp and x.exp <= now and j.attempt == 0 then
      open = false
      expire(j)
    elseif x.gates then open, gate, opensAt, tells = enterGates(j) end
    if open or tells then
      local known = x.parkedFor
      take(j, blob, false, tells and { gate.key, call('SRANDMEMBER', K.holders .. gate.key) or nil } or nil)
      x.adopted, x.parkedFor = known, nil
      taken = taken + 1
    else sooner(opensAt) end
  end
  return taken
end

-- What a queue's limits leave room for now; nil when nothing limits it.
local function roomIn(config, active, bucket)
  local room
  if config and config.maxActive then room = config.maxActive - active end
  if config and config.rate then
    room = math.min(room or math.huge, tokensOf(bucket, config.rate.max, config.rate.per))
  end
  return room
end

local function claimAll(c, author)
  local opened = call('ZRANGEBYSCORE', K.openings, '-inf', now, 'LIMIT', 0, 50)
  for i = 1, #opened do offer(opened[i]) end
  local blob = signed(c.state, author)
  local fields = {}
  for i = 1, #c.queues do
    local queue = c.queues[i][1]
    for _, kind in ipairs({ READY, ACTIVE, PARKED, 'c', 'w' }) do fields[#fields + 1] = kind .. queue end
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
      local ready, parked = counted(i, 1, READY) - counted(i, 5, 'w'), counted(i, 3, PARKED)
      local config = values[(i - 1) * 5 + 4] and munpack(values[(i - 1) * 5 + 4]) or nil
      local paused = config and config.paused
      if paused and paused['until'] and paused['until'] <= now then paused = nil end
      if round == 2 and parked > 0 then adoptable = true end
      if paused then sooner(paused['until'])
      elseif ready > 0 or parked > 0 then
        local bucket = K.bucket .. 'q' .. queue
        local room = roomIn(config, counted(i, 2, ACTIVE), bucket)
        local open = math.min(room or math.huge, (entry[2] or math.huge) - (entry.taken or 0))
        local taken = 0
        if open > 0 and round == 1 and parked > 0 then
          taken = adopt(queue, c.adopt, math.min(open, adopting), blob)
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
          for _ = 1, taken do takeToken(bucket, config.rate.max, config.rate.per) end
        end
        if round == 2 then
          ready = counted(i, 1, READY) - counted(i, 5, 'w')
          room = roomIn(config, counted(i, 2, ACTIVE), bucket)
          if room and room > 0 and ready > 0 and left == 0 and entry.taken < (entry[2] or math.huge) then stopped = true end
          if ready > 0 and (not room or room > 0) then more = true end
          if ready > 0 and config and config.rate then
            local opens = tokenAt(bucket, config.rate.max, config.rate.per)
            if opens > now then sooner(opens) end
          end
          adoptable = adoptable and true or counted(i, 3, PARKED) > 0
        end
      end
    end
  end
  local due = call('ZRANGE', K.due, 0, 0, 'WITHSCORES')
  if due[2] then sooner(tonumber(due[2])) end
  local opening = call('ZRANGE', K.openings, 0, 0, 'WITHSCORES')
  if opening[2] then sooner(math.max(now, tonumber(opening[2]))) end
  return more, adoptable
end
`
