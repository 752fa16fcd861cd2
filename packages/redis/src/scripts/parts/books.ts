/**
 * What a call adds up and writes once, at its end: indexes, leases, counters, tallies, names, wake-ups. Jobs that went
 * through the ledger and plain ones that did not are entered in the same books.
 */
export const books: string = /* lua */ `
local cnt, told, woke, signalled, meta = {}, {}, {}, {}, {}
-- Which lists jobs leave and join: outs and ins by phase, streams by phase and instant; and what sessions gain and give up, by claim.
local ins, outs, streams, gained, given, pushed = {}, {}, {}, {}, {}, {}
local queuesSeen, tagsSeen = {}, {}
local seqNext, seqLast = 1, 0
local seqSlice = 16
local changed = false
local writeJobs, heldText

local function nextSeq()
  if seqNext > seqLast then
    seqLast = call('INCRBY', K.seq, seqSlice)
    seqNext = seqLast - seqSlice + 1
  end
  seqNext = seqNext + 1
  return seqNext - 1
end

local function add(field, by) cnt[field] = (cnt[field] or 0) + by end

local function listIn(map, key)
  local list = map[key]
  if not list then
    list = {}
    map[key] = list
  end
  return list
end

-- The jobs that a call of a session claimed in one instant.
local function claimOf(number, at) return string.format('%.0f %.0f', number, at) end

local function give(fp, claim, n)
  local claims = listIn(given, fp)
  claims[claim] = (claims[claim] or 0) + n
end

-- What happened to jobs of one (queue, name) in this minute.
local function tallyOf(queue, name)
  local names = told[queue]
  if not names then
    names = {}
    told[queue] = names
  end
  local deltas = names[name]
  if not deltas then
    deltas = {}
    names[name] = deltas
  end
  return deltas
end

-- Durations are told as numbers: how long jobs ran from 0 on, how long they waited from 1000 on.
local WAITED = 1000

local function bucketOf(ms)
  if ms < 1 then return 0 end
  return math.min(99, 1 + floor(4 * math.log(ms) / math.log(2) + 1e-9))
end

-- New names are told to servers that listen to wildcards; what was seen longest ago is forgotten beyond 10,000.
local function noteNames(kind, names)
  local list = {}
  for name in pairs(names) do
    list[#list + 1] = nowText
    list[#list + 1] = name
  end
  if #list == 0 then return 0 end
  local key, fresh = K.names .. kind, 0
  for i = 1, #list, 4000 do fresh = fresh + call('ZADD', key, unpack(list, i, math.min(i + 3999, #list))) end
  if fresh > 0 then call('ZREMRANGEBYRANK', key, 0, -10001) end
  return fresh
end

-- The names of jobs, and their queues, are noted with the first job of theirs that a minute sees.
local function writeTallies()
  local lanes, lists = {}, {}
  for queue, names in pairs(told) do
    for name, deltas in pairs(names) do
      lanes[#lanes + 1] = spack('>H', #queue) .. queue .. name
      lists[#lanes] = { queue, name, deltas }
    end
  end
  if #lanes == 0 then return end
  local minute = floor(now / 60000)
  local key, isFresh, namesSeen = K.minute .. minute, false, {}
  local numbers = call('HMGET', K.pairs, unpack(lanes))
  for i = 1, #lanes do
    local number = numbers[i]
    if not number then
      number = call('HINCRBY', K.meta, 'pairs', 1)
      call('HSET', K.pairs, lanes[i], number)
    end
    local queue, name, deltas = unpack(lists[i])
    for what, n in pairs(deltas) do
      if type(what) == 'number' then what = what >= WAITED and 'W' .. (what - WAITED) or 'R' .. what end
      if call('HINCRBY', key, number .. what, n) == n then
        isFresh = true
        if what == 'c' then queuesSeen[queue], namesSeen[name] = true, true end
      end
    end
  end
  noteNames('job', namesSeen)
  if isFresh and call('TTL', key) < 0 then
    call('EXPIRE', key, 90000)
    call('ZADD', K.minutes, minute, minute)
  end
end

local function noteNewNames()
  if noteNames('queue', queuesSeen) > 0 then meta.names = 1 end
  noteNames('tag', tagsSeen)
end

local function pushReady()
  for queue, lists in pairs(pushed) do
    for prio, list in pairs(lists) do
      local key = K.ready .. prio .. ':' .. queue
      local size
      for i = 1, #list, 4000 do size = call('RPUSH', key, unpack(list, i, math.min(i + 3999, #list))) end
      if size == #list then call('ZADD', K.priorities .. queue, prio, prio) end
    end
  end
  pushed = {}
end

-- A session's jobs stand together as they were claimed, and go when the last of them has gone.
local function writeHeld()
  for fp, claims in pairs(gained) do
    for claim, ids in pairs(claims) do
      heldText = table.concat(ids)
      call('HSET', K.held .. fp, claim, heldText, '#' .. claim, #ids)
    end
  end
  for fp, claims in pairs(given) do
    local key = K.held .. fp
    for claim, n in pairs(claims) do
      if call('HINCRBY', key, '#' .. claim, -n) <= 0 then call('HDEL', key, claim, '#' .. claim) end
    end
  end
end

local function writeIndexes(changes)
  for phase, ids in pairs(outs) do many('ZREM', K.index .. phase, ids) end
  for phase, list in pairs(ins) do many('ZADD', K.index .. phase, list) end
  writeHeld()
  for phase, instants in pairs(streams) do
    for at, list in pairs(instants) do
      local text = string.format('%.0f', at)
      for i = 1, #list, 128 do
        local ids = table.concat(list, '', i, math.min(i + 127, #list))
        -- The server's clock was set back: the entry is filed at the stream's end, its own instant stays in it.
        local place = string.format('%s-%.0f', text, changes * 1000 + floor(i / 128))
        local filed = redis.pcall('XADD', K.entered .. phase, place, text, ids)
        if type(filed) == 'table' then call('XADD', K.entered .. phase, '*', text, ids) end
      end
      meta['logged' .. phase] = (meta['logged' .. phase] or 0) + #list
    end
  end
end

local function changedIds(touched)
  local ids, known = {}, {}
  local function enter(id)
    if not known[id] then
      known[id] = true
      ids[#ids + 1] = id
    end
  end
  for i = 1, #touched do enter(touched[i].id) end
  for _, lists in ipairs({ streams, gained }) do
    for _, parts in pairs(lists) do
      for _, list in pairs(parts) do for i = 1, #list do enter(list[i]) end end
    end
  end
  return ids
end

local function wake(touched, counted)
  local watched = call('MGET', K.watchesQueues, K.watchesJobs)
  if not watched[1] and not watched[2] then return end
  local said, any = {}, false
  if watched[1] then
    for queue in pairs(woke) do
      -- While a queue is busy, one hint in ten milliseconds is enough; whoever finds it empty is always woken.
      local busy = tonumber(counted['3' .. queue] or call('HGET', K.queues, '3' .. queue) or '0') > woke[queue]
      local stamp, last = string.match(call('HGET', K.queues, '>' .. queue) or '', '^(%S+) (%d+)$')
      local lately = stamp == watched[1] and tonumber(last) <= now and now - tonumber(last) < 10
      if not busy or not lately then
        call('HSET', K.queues, '>' .. queue, watched[1] .. ' ' .. string.format('%.0f', now))
        said.q = said.q or {}
        said.q[#said.q + 1] = queue
        any = true
      end
    end
    if meta.names then said.n = true; any = true end
  end
  if watched[2] and changed then
    said.j = changedIds(touched)
    any = true
  end
  for fp in pairs(signalled) do
    said.s = said.s or {}
    said.s[#said.s + 1] = fp
    any = true
  end
  if any then call(A.publish or 'PUBLISH', K.wakeups, mpack(said)) end
end

local function flush()
  local touched = writeJobs and writeJobs() or {}
  if #touched > 0 then changed = true end
  writeTallies()
  noteNewNames()
  local changes = (changed or next(meta) ~= nil) and call('HINCRBY', K.meta, 'changes', 1) or 0
  writeIndexes(changes)
  local counted = {}
  for field, by in pairs(cnt) do
    if by ~= 0 then
      counted[field] = call('HINCRBY', K.queues, field, by)
      if counted[field] == 0 then call('HDEL', K.queues, field) end
    end
  end
  for field, by in pairs(meta) do call('HINCRBY', K.meta, field, by) end
  wake(touched, counted)
end
`
