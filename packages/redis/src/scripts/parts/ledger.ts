/**
 * The jobs a call touches are read once, changed in Lua tables and written back once, together with everything that
 * follows from what changed: indexes, leases, counters, tallies, wake-ups. Whatever changes a job goes through here.
 */
export const ledger: string = /* lua */ `
local jobs, touched = {}, {}
local cnt, told, woke, signalled, meta = {}, {}, {}, {}, {}
local seqNext, seqLast = 1, 0
local seqSlice = 16

local function load(ids)
  local want, keys = {}, {}
  for i = 1, #ids do
    local id = ids[i]
    if jobs[id] == nil then
      jobs[id] = false
      want[#want + 1] = id
      keys[#keys + 1] = K.job .. id
    end
  end
  for i = 1, #keys, 4000 do
    local raw = call('MGET', unpack(keys, i, math.min(i + 3999, #keys)))
    for k = 1, #raw do
      if raw[k] then
        local id = want[i + k - 1]
        jobs[id] = parse(id, raw[k])
      end
    end
  end
end

local function get(id)
  local j = jobs[id]
  if j == nil then
    load({ id })
    j = jobs[id]
  end
  return j
end

local function touch(j)
  if not j.dirty then
    j.dirty = true
    touched[#touched + 1] = j
  end
end

local function nextSeq()
  if seqNext > seqLast then
    seqLast = call('INCRBY', K.seq, seqSlice)
    seqNext = seqLast - seqSlice + 1
  end
  seqNext = seqNext + 1
  return seqNext - 1
end

local function add(field, by) cnt[field] = (cnt[field] or 0) + by end

-- The name of a counter: made once for each queue, for turning numbers into text is dear.
local counters = { {}, {}, {}, {}, {}, {}, {}, {} }
local TOTALS = { [READY] = '#3', [SUCCEEDED] = '#6' }

local function count(j, by)
  local phase, queue = j.phase, j.queue
  local field = counters[phase][queue]
  if not field then
    field = phase .. queue
    counters[phase][queue] = field
  end
  cnt[field] = (cnt[field] or 0) + by
  local total = TOTALS[phase]
  if total then cnt[total] = (cnt[total] or 0) + by
  elseif phase == SCHEDULED and j.attempt > 0 then add('#retrying', by) end
end

-- What happened to jobs of one (queue, name) in this minute.
local function tell(j, what)
  local names = told[j.queue]
  if not names then
    names = {}
    told[j.queue] = names
  end
  local deltas = names[j.name]
  if not deltas then
    deltas = {}
    names[j.name] = deltas
  end
  deltas[what] = (deltas[what] or 0) + 1
end

-- Durations are told as numbers: how long jobs ran from 0 on, how long they waited from 1000 on.
local WAITED = 1000

local function bucketOf(ms)
  if ms < 1 then return 0 end
  return math.min(99, 1 + floor(4 * math.log(ms) / math.log(2) + 1e-9))
end

local function writeTallies()
  local lanes, deltas = {}, {}
  for queue, names in pairs(told) do
    for name, all in pairs(names) do
      lanes[#lanes + 1] = spack('>H', #queue) .. queue .. name
      deltas[#lanes] = all
    end
  end
  if #lanes == 0 then return end
  local minute = floor(now / 60000)
  local key = K.minute .. minute
  local fresh = call('EXISTS', key) == 0
  local numbers = call('HMGET', K.pairs, unpack(lanes))
  for i = 1, #lanes do
    local number = numbers[i]
    if not number then
      number = call('HINCRBY', K.meta, 'pairs', 1)
      call('HSET', K.pairs, lanes[i], number)
    end
    for what, n in pairs(deltas[i]) do
      if type(what) == 'number' then what = what >= WAITED and 'W' .. (what - WAITED) or 'R' .. what end
      call('HINCRBY', key, number .. what, n)
    end
  end
  if fresh then
    call('EXPIRE', key, 90000)
    call('ZADD', K.minutes, minute, minute)
  end
end

-- New names are told to servers that listen to wildcards; what was seen longest ago is forgotten beyond 10,000.
local function noteNames(kind, names)
  local list = {}
  for name in pairs(names) do
    list[#list + 1] = now
    list[#list + 1] = name
  end
  if #list == 0 then return 0 end
  local key, fresh = K.names .. kind, 0
  for i = 1, #list, 4000 do fresh = fresh + call('ZADD', key, unpack(list, i, math.min(i + 3999, #list))) end
  if fresh > 0 then call('ZREMRANGEBYRANK', key, 0, -10001) end
  return fresh
end

-- Which lists a job leaves and joins: outs and ins by phase, or by session for active jobs; streams by phase and instant.
local function listIn(map, key)
  local list = map[key]
  if not list then
    list = {}
    map[key] = list
  end
  return list
end

local function indexed(ins, outs, streams, j)
  local from, to, list = j.phase0, j.phase, nil
  if from == ACTIVE then
    list = listIn(outs, j.fp0)
    list[#list + 1] = j.id
  elseif from then
    list = listIn(outs, from)
    list[#list + 1] = j.id
  end
  if j.gone then return end
  if to == READY or to == SUCCEEDED then
    list = listIn(listIn(streams, to), j.at)
    list[#list + 1] = j.id
  else
    list = listIn(ins, to == ACTIVE and j.fp or to)
    list[#list + 1] = j.at == now and nowText or j.at
    list[#list + 1] = j.id
  end
end

local function writeIndexes(ins, outs, streams, changes)
  for where, ids in pairs(outs) do
    many('ZREM', (type(where) == 'number' and K.index or K.held) .. where, ids)
  end
  for where, list in pairs(ins) do
    many('ZADD', (type(where) == 'number' and K.index or K.held) .. where, list)
  end
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

local function wake()
  local watched = call('MGET', K.watchesQueues, K.watchesJobs)
  if not watched[1] and not watched[2] then return end
  local said, any = {}, false
  if watched[1] then
    for queue in pairs(woke) do
      -- While a queue is busy, one hint in ten milliseconds is enough; whoever finds it empty is always woken.
      local busy = tonumber(call('HGET', K.queues, '3' .. queue) or '0') > woke[queue]
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
  if watched[2] and #touched > 0 then
    said.j = {}
    for i = 1, #touched do said.j[i] = touched[i].id end
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
  local sets, dels, ins, outs, streams = {}, {}, {}, {}, {}
  local changes = 0
  if #touched > 0 or next(meta) ~= nil then changes = call('HINCRBY', K.meta, 'changes', 1) end
  for i = 1, #touched do
    local j = touched[i]
    if j.gone then
      if j.gone == 'deleted' then dels[#dels + 1] = K.job .. j.id end
    else
      j.packed = pack(j)
      sets[#sets + 1] = K.job .. j.id
      sets[#sets + 1] = j.packed
    end
    if j.gone or j.n ~= j.n0 then indexed(ins, outs, streams, j) end
  end
  for i = 1, #sets, 4000 do call('MSET', unpack(sets, i, math.min(i + 3999, #sets))) end
  for i = 1, #dels, 4000 do call('UNLINK', unpack(dels, i, math.min(i + 3999, #dels))) end
  writeIndexes(ins, outs, streams, changes)
  for field, by in pairs(cnt) do
    if by ~= 0 and call('HINCRBY', K.queues, field, by) == 0 then call('HDEL', K.queues, field) end
  end
  for field, by in pairs(meta) do call('HINCRBY', K.meta, field, by) end
  writeTallies()
  wake()
end
`
