/**
 * What follows from a final phase: the unique key is given up, retention is fixed, edges are decided. Up to 500 decisions
 * are taken in the call; the rest is owed, in order, and settled by upkeep.
 */
export const ends: string = /* lua */ `
local budget = 500
local decided = {}
local END = { [SUCCEEDED] = 1, [FAILED] = 2, [DELETED] = 4 }
local DEFAULT_KEEP = { [SUCCEEDED] = 86400000, [DELETED] = 86400000 }

local function freeUnique(j)
  local u = X(j).u
  if not u or not u.held then return end
  local text = call('GET', K.unique .. u.key)
  if text and sub(text, 1, 26) == j.id then call('DEL', K.unique .. u.key) end
  u.held = false
end

-- The live holder of a unique key, if it is another job.
local function uniqueHolder(key, id)
  local text = call('GET', K.unique .. key)
  if not text then return nil end
  local holder, till = sub(text, 1, 26), tonumber(sub(text, 28))
  if holder == id or (till > 0 and till <= now) then return nil end
  return holder
end

local function takeUnique(j)
  local u = X(j).u
  call('SET', K.unique .. u.key, j.id .. ' ' .. string.format('%.0f', u.till or 0))
  u.held = true
end

local function noteError(j, fingerprint, preview)
  local key, hour = K.error .. fingerprint, floor(now / 3600000)
  local old = call('HMGET', key, 'names', 'first')
  local names = old[1] and munpack(old[1]) or {}
  local known = false
  for i = 1, #names do if names[i] == j.name then known = true end end
  if not known and #names < 50 then names[#names + 1] = j.name end
  call('HSET', key, 'preview', preview, 'last', now, 'first', old[2] or now, 'sample', j.id, 'names', mpack(names))
  call('HINCRBY', key, 'count', 1)
  call('HINCRBY', key, 'h' .. hour, 1)
  call('HDEL', key, 'h' .. (hour - 24), 'h' .. (hour - 25), 'h' .. (hour - 26))
  if call('ZADD', K.errors, now, fingerprint) == 1 and call('ZCARD', K.errors) > 5000 then
    local oldest = call('ZPOPMIN', K.errors)
    call('DEL', K.error .. oldest[1])
  end
end

-- A state was entered or passed through that tells of an error.
local function noteFailure(j, blob)
  if byte(blob, 1) ~= FAILED or band(byte(blob, 2), 8) == 0 then return end
  local _, fingerprint, preview = readState(blob)
  noteError(j, fingerprint, preview)
  X(j).err = fingerprint
end

-- keep: milliseconds, false for ever, nil as the job says.
local function toFinal(j, phase, keep)
  j.phase = phase
  count(j, 1)
  if phase == SUCCEEDED then tell(j, 'o') elseif phase == FAILED then tell(j, 'f') end
  local rule = keep
  if j.xs ~= '' or j.x then
    local x = X(j)
    if x.u then freeUnique(j) end
    if x.exp then call('ZREM', K.expiring, j.id) end
    if x.rec then call('HSET', K.runEnds .. x.rec.id, j.id, mpack({ phase, j.ran })) end
    x.wish, x.adopted, x.parkedFor = nil, nil, nil
    if phase == SUCCEEDED then x.err = nil end
    if rule == nil and x.keep then rule = x.keep[PHASES[phase]] end
  end
  -- What succeeded with the usual retention is met in the order of its stream; everything else is filed by its instant.
  if phase == DELETED and rule == nil then call('ZADD', K.removal, j.at + DEFAULT_KEEP[DELETED], j.id) end
  if rule ~= nil and (phase == DELETED or rule ~= (DEFAULT_KEEP[phase] or false)) then
    local x = X(j)
    x.rm = rule and j.at + rule
    if rule then call('ZADD', K.removal, x.rm, j.id) end
  end
  if has(j, CHILDREN) then decided[#decided + 1] = { parent = j.id, phase = phase, n = j.n, cursor = '0' } end
end

-- A child leaves awaiting: its open edges go.
local function dropEdges(j)
  local x = X(j)
  for parent in pairs(x.open or {}) do call('HDEL', K.edges .. parent, j.id) end
  x.open = nil
end

local function release(j, parent, phase)
  local x = X(j)
  local blob = x.thenState or stateOf(READY, ENQUEUED, 'parent ' .. parent .. ' ' .. (phase and PHASES[phase] or 'is gone'))
  local due = math.ceil(x.dueAt or (now + (x.delay or 0)))
  x.open, x.thenState, x.delay, x.dueAt = nil, nil, nil, nil
  leave(j)
  push(j, blob)
  if byte(blob, 1) == SCHEDULED and due > now then toScheduled(j, due)
  else
    if byte(blob, 1) == SCHEDULED then push(j, PROMOTED) end
    toReady(j)
  end
end

local function unmet(j, parent, phase)
  leave(j)
  dropEdges(j)
  push(j, stateOf(DELETED, DELETION, 'parent ' .. parent .. ' ' .. (phase and PHASES[phase] or 'is gone')))
  toFinal(j, DELETED)
end

-- Decides one edge. True when the child was released.
local function decide(child, parent, phase)
  local x = X(child)
  local mask = x.open[parent]
  if band(mask, END[phase]) ~= 0 then
    touch(child)
    x.open[parent] = nil
    call('HDEL', K.edges .. parent, child.id)
    if next(x.open) == nil then
      release(child, parent, phase)
      return true
    end
  elseif phase ~= FAILED then
    unmet(child, parent, phase)
    call('HDEL', K.edges .. parent, child.id)
  end
  return false
end

-- Looks at the open edges of one ended parent while there is budget. True when it is through, and how many it released.
local function decideAll(d)
  local key, moved = K.edges .. d.parent, 0
  repeat
    local page = call('HSCAN', key, d.cursor, 'COUNT', 256)
    local list, ids = page[2], {}
    for i = 1, #list, 2 do ids[#ids + 1] = list[i] end
    load(ids)
    for i = 1, #list, 2 do
      if budget <= 0 then return false, moved end
      budget = budget - 1
      local child = get(list[i])
      if not child or child.phase ~= AWAITING or not X(child).open or not X(child).open[d.parent] then
        call('HDEL', key, list[i])
      elseif tonumber(list[i + 1]) <= d.n and decide(child, d.parent, d.phase) then moved = moved + 1 end
    end
    d.cursor = page[1]
  until d.cursor == '0'
  return true, moved
end

local function owe(d)
  local parent = get(d.parent)
  if parent then
    touch(parent)
    X(parent).owed = (X(parent).owed or 0) + 1
  end
  call('RPUSH', K.owed, mpack(d))
end

-- Decides what this call's ends bring about. Edges of a parent that still owes older decisions wait behind those.
local function settle()
  local released, i = 0, 1
  while decided[i] do
    local d = decided[i]
    local parent = get(d.parent)
    if budget <= 0 or (parent and (parent.xs ~= '' or parent.x) and X(parent).owed) then owe(d)
    else
      local done, moved = decideAll(d)
      released = released + moved
      if not done then owe(d) end
    end
    i = i + 1
  end
  decided = {}
  return released
end
`
