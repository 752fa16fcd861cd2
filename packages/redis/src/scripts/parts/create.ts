import { longestInline } from '../../codec/layout.ts'

/** Stores new jobs, in order; parents stand before their children. Each is answered for itself. */
export const create: string = /* lua */ `
local LONGEST_INLINE = ${longestInline}

local function replaceHolder(holder, id)
  local j = get(holder)
  if not j or has(j, STUB) or j.phase == ACTIVE or j.phase >= SUCCEEDED then return false end
  leave(j)
  if X(j).open then dropEdges(j) end
  push(j, stateOf(DELETED, DELETION, 'replaced by ' .. id))
  toFinal(j, DELETED)
  return true
end

local function unknownParent(after)
  for i = 1, #after do
    local parent = get(after[i][1])
    if not after[i][3] and (not parent or has(parent, STUB)) then return after[i][1] end
  end
end

-- What the parents of a new job mean for it: its open edges, the end that releases or deletes it at once.
local function attach(after)
  local open, parents, releasedBy, unmetParent = {}, {}, nil, nil
  for i = 1, #after do
    local edge = after[i]
    local parent = get(edge[1])
    if parent and has(parent, STUB) then parent = false end
    parents[i] = edge[1]
    if parent then
      local bit = END[parent.phase]
      if not bit or (band(edge[2], bit) == 0 and parent.phase == FAILED) then open[edge[1]] = edge[2]
      elseif band(edge[2], bit) ~= 0 then releasedBy = parent
      else unmetParent = unmetParent or parent end
    else releasedBy = { id = edge[1] } end
  end
  return open, parents, releasedBy, unmetParent
end

local function link(j)
  local x = X(j)
  for i = 1, #x.parents do
    local id = x.parents[i]
    local parent = get(id)
    if parent and not has(parent, STUB) then
      if not has(parent, CHILDREN) then
        touch(parent)
        set(parent, CHILDREN)
      end
      call('ZADD', K.children .. id, j.created, j.id)
      if x.open[id] then call('HSET', K.edges .. id, j.id, parent.n) end
    end
  end
end

-- Jobs of one list that wait for each other: unless one of them is stored already, none can be.
local circles = {}
local function isCircle(ids)
  local name = ids[1]
  if circles[name] == nil then
    circles[name] = true
    load(ids)
    for i = 1, #ids do if get(ids[i]) then circles[name] = false end end
  end
  return circles[name]
end

local function createOne(c)
  local id, o = c[1], c[9]
  if get(id) then return 1 end
  if c[10] and isCircle(c[10]) then return 5 end
  local missing = o and o.after and unknownParent(o.after)
  if missing then return { 'o', missing } end
  local replaced
  if o and o.u then
    local holder = uniqueHolder(o.u.key, id)
    if holder then
      if not o.u.replace or not replaceHolder(holder, id) then
        local h = get(holder)
        if h and not has(h, STUB) then return { 'd', holder } end
      else replaced = holder end
    end
  end
  local j = {
    id = id, queue = c[2], name = c[3], version = c[4], prio = c[5], f = c[6], cur = '', hist = '', xs = '', n = 0,
    phase = 0, attempt = 0, crashes = 0, at = now, created = now, seq = 0, payload = c[8], n0 = 0, dirty = nil, x = nil,
    packed = nil,
  }
  if #j.payload > LONGEST_INLINE then
    set(j, LONG)
    call('SET', K.payload .. id, j.payload)
    j.payload = ''
  end
  jobs[id] = j
  touch(j)
  tell(j, 'c')
  local blob = c[7]
  push(j, blob)
  local phase = byte(blob, 1)
  if o then
    local x = o.x or {}
    j.x = x
    if x.tags then for i = 1, #x.tags do tagsSeen[x.tags[i]] = true end end
    if o.gates then x.gates = o.gates; set(j, FRAIL) end
    if o.u then
      x.u = { key = o.u.key, claimed = o.u.claimed, till = o.u.ttl and now + o.u.ttl or nil }
      takeUnique(j)
    end
    if o.exp then
      x.exp = now + o.exp
      call('ZADD', K.expiring, x.exp, id)
    end
    if x.rec then
      local runs = K.runs .. x.rec.id
      call('ZADD', runs, x.rec.at, id)
      local old = call('ZRANGE', runs, 0, -51)
      if #old > 0 then
        call('ZREM', runs, unpack(old))
        call('HDEL', K.runEnds .. x.rec.id, unpack(old))
      end
    end
    if phase == AWAITING then
      -- Only now: replacing the holder of a key may have ended a parent.
      local open, parents, releasedBy, unmetParent = attach(o.after)
      x.parents, x.open, x.thenState, x.delay, x.dueAt = parents, open, o.thenState, o.delay, o.at
      link(j)
      j.phase = AWAITING
      count(j, 1)
      if unmetParent then unmet(j, unmetParent.id, unmetParent.phase)
      elseif next(open) == nil then release(j, releasedBy.id, releasedBy.phase) end
      return replaced and { 'c', replaced } or 0
    end
    if phase == SCHEDULED then
      local due = math.ceil(o.at or (now + (o.delay or 0)))
      if due > now then
        toScheduled(j, due)
        return replaced and { 'c', replaced } or 0
      end
      push(j, PROMOTED)
    end
  end
  toReady(j)
  return replaced and { 'c', replaced } or 0
end

local function createAll(list)
  local ids = {}
  for i = 1, #list do
    local c = list[i]
    if c then
      ids[#ids + 1] = c[1]
      if c[9] and c[9].after then for k = 1, #c[9].after do ids[#ids + 1] = c[9].after[k][1] end end
    end
  end
  load(ids)
  local outcomes = {}
  for i = 1, #list do
    outcomes[i] = list[i] and createOne(list[i]) or 5
    -- What a replaced job releases stands before the next job of the list.
    if decided[1] then settle() end
  end
  return outcomes
end
`
