/**
 * Limits and rates shared by jobs. A job that finds a gate shut is set aside under that gate; when a place frees, the
 * oldest waiters are put back, a few queues at a time and in rotation, so that no paused queue keeps the others asleep.
 */
export const gates: string = /* lua */ `
-- A token bucket is one number: the instant at which it will be full again. Every token moves it on by one interval.
local function fullAtOf(key) return tonumber(call('GET', key) or '0') end

local function tokensOf(key, max, per)
  local missing = math.max(0, fullAtOf(key) - now)
  return math.max(0, floor((per - missing) * max / per + 1e-6))
end

local function takeToken(key, max, per)
  local fullAt = math.max(fullAtOf(key), now) + per / max
  call('SET', key, string.format('%.6f', fullAt), 'PX', math.ceil(fullAt - now) + 1000)
end

-- When there is one token more than now.
local function tokenAt(key, max, per)
  local at = math.ceil(fullAtOf(key) - per + (tokensOf(key, max, per) + 1) * per / max - 1e-6)
  if at > now then return at end
  return now + math.ceil(per / max)
end

-- Room of a gate by one job's own numbers; and when the next token comes, if that is what it lacks.
local function roomOf(gate)
  local room, opensAt = math.huge, nil
  if gate.limit then room = gate.limit - call('SCARD', K.holders .. gate.key) end
  if gate.max then
    local bucket = K.bucket .. 'g' .. gate.key
    local tokens = tokensOf(bucket, gate.max, gate.per)
    if tokens < 1 then opensAt = tokenAt(bucket, gate.max, gate.per) end
    room = math.min(room, tokens)
  end
  return room, opensAt
end

local function waitingKey(gate, queue) return K.waiting .. #gate .. ':' .. gate .. ':' .. queue end

local function gateOf(j, key)
  local list = X(j).gates
  for i = 1, #list do if list[i].key == key then return list[i] end end
end

unoffer = function(j)
  local x = X(j)
  if x.offered then
    if call('HINCRBY', K.offered .. x.offered, j.queue, -1) <= 0 then call('HDEL', K.offered .. x.offered, j.queue) end
    x.offered = nil
  end
end

local function forgetQueue(gate, queue)
  call('ZREM', K.waitingQueues .. gate, queue)
  if call('EXISTS', K.waitingQueues .. gate) == 0 then
    call('ZREM', K.gates, gate)
    call('ZREM', K.openings, gate)
  end
end

unwait = function(j)
  local x = X(j)
  local key = waitingKey(x.waits, j.queue)
  call('ZREM', key, spot(j))
  call('ZREM', K.aside .. j.queue, spot(j))
  if call('EXISTS', key) == 0 then forgetQueue(x.waits, j.queue) end
  x.waits = nil
  unset(j, WAITING)
  add('w' .. j.queue, -1)
end

local function setAside(j, gate, opensAt)
  local x = X(j)
  touch(j)
  unset(j, HANDED)
  set(j, WAITING)
  x.waits = gate.key
  add('w' .. j.queue, 1)
  call('ZADD', waitingKey(gate.key, j.queue), 0, spot(j))
  call('ZADD', K.aside .. j.queue, 0, spot(j))
  call('ZADD', K.waitingQueues .. gate.key, 'NX', 0, j.queue)
  if opensAt then call('ZADD', K.openings, opensAt, gate.key) end
  call('ZADD', K.gates, 'NX', now, gate.key)
end

-- Puts waiters of a gate back to their old places: of at most eight queues, in each as many as there is room.
local function offer(gate)
  local queues = call('ZRANGE', K.waitingQueues .. gate, 0, 7)
  local moved, opensAt = 0, nil
  for i = 1, #queues do
    local queue = queues[i]
    local key = waitingKey(gate, queue)
    local offered = tonumber(call('HGET', K.offered .. gate, queue) or '0')
    call('ZADD', K.waitingQueues .. gate, 'XX', now + i / 16, queue)
    while true do
      local member = call('ZRANGE', key, 0, 0)[1]
      if not member then break end
      local j = get(sub(member, 9))
      local room, opens = roomOf(gateOf(j, gate))
      if opens and (not opensAt or opens < opensAt) then opensAt = opens end
      if room - offered <= 0 then break end
      touch(j)
      local x = X(j)
      call('ZREM', key, member)
      call('ZREM', K.aside .. queue, member)
      unset(j, WAITING)
      set(j, HANDED)
      x.waits = nil
      x.offered = gate
      add('w' .. queue, -1)
      offered = offered + 1
      call('HINCRBY', K.offered .. gate, queue, 1)
      call('ZADD', K.back .. queue, 0, member)
      woke[queue] = woke[queue] or 0
      moved = moved + 1
    end
    if call('EXISTS', key) == 0 then forgetQueue(gate, queue) end
  end
  if call('EXISTS', K.waitingQueues .. gate) == 1 then
    call('ZADD', K.gates, now, gate)
    if opensAt then call('ZADD', K.openings, opensAt, gate) else call('ZREM', K.openings, gate) end
  end
  return moved
end

-- True when all gates let the job through, and then it holds them. Otherwise the first gate that is shut.
local function enterGates(j)
  local list = X(j).gates
  local shut, shutAt, tells
  for i = 1, #list do
    local room, opensAt = roomOf(list[i])
    if room <= 0 then
      shut, shutAt = shut or list[i], shutAt or opensAt
      if list[i].tell then tells = tells or list[i] end
    end
  end
  if not shut then
    for i = 1, #list do
      call('SADD', K.holders .. list[i].key, j.id)
      if list[i].max then takeToken(K.bucket .. 'g' .. list[i].key, list[i].max, list[i].per) end
    end
    return true
  end
  return false, tells or shut, shutAt, tells
end

freeGates = function(j)
  local x = X(j)
  if not x.gates then return end
  if x.busy then x.busy = nil; return end
  for i = 1, #x.gates do
    local gate = x.gates[i]
    call('SREM', K.holders .. gate.key, j.id)
    if call('EXISTS', K.waitingQueues .. gate.key) == 1 then offer(gate.key) end
  end
end
`
