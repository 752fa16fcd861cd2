/** Removing jobs, and keeping the garbage that lists and streams leave behind in proportion to what lives. */
export const removal: string = /* lua */ `
local STUB_MS = 120000

-- Removes a final job with all that is its own. A young one leaves a stub, so that a late repeat of its creation or
-- completion is still recognized; the stub goes by itself.
local function remove(j)
  if has(j, CHILDREN) then
    if X(j).owed then return false end
    if call('EXISTS', K.edges .. j.id) == 1 then
      leave(j)
      push(j, RETIRED)
      toFinal(j, DELETED)
      return false
    end
    call('UNLINK', K.children .. j.id)
  end
  leave(j)
  if j.xs ~= '' or j.x then
    local x = X(j)
    for _, parent in ipairs(x.parents or {}) do call('ZREM', K.children .. parent, j.id) end
    if x.rec then call('HSET', K.runEnds .. x.rec.id, j.id, mpack({ j.phase, j.ran })) end
  end
  if has(j, LONG) then call('UNLINK', K.payload .. j.id) end
  if has(j, NOTED) then call('UNLINK', K.progress .. j.id, K.log .. j.id) end
  local young = math.max(j.created, j.at) + STUB_MS - now
  if young > 0 then
    j.gone = 'stub'
    -- Of the rest only the commands are still asked for.
    local commands = (j.xs ~= '' or j.x) and X(j).commands or nil
    j.f, j.x, j.xs, j.hist, j.cur, j.payload = STUB, { commands = commands }, '', '', '', ''
    call('SET', K.job .. j.id, pack(j), 'PX', math.ceil(young))
  else j.gone = 'deleted' end
  return true
end

local function isLive(id, phase, at)
  local head = call('GETRANGE', K.job .. id, 0, 11)
  if #head < 12 then return false end
  local p, f, t = sunpack('>BHxxxI6', head)
  return p == phase and t == at and band(f, STUB) == 0
end

-- Drops entries from the head of a stream: ids that still stand there move to the index.
local function compact(phase, most)
  local key = K.entered .. phase
  local entries = call('XRANGE', key, '-', '+', 'COUNT', 64)
  local dropped, seen, stay = {}, 0, {}
  for i = 1, #entries do
    if seen >= most then break end
    local at, ids = tonumber(entries[i][2][1]), entries[i][2][2]
    for p = 1, #ids, 26 do
      local id = sub(ids, p, p + 25)
      seen = seen + 1
      if isLive(id, phase, at) then
        stay[#stay + 1] = at
        stay[#stay + 1] = id
      end
    end
    dropped[#dropped + 1] = entries[i][1]
  end
  if #dropped == 0 then return 0 end
  if #stay > 0 then many('ZADD', K.index .. phase, stay) end
  call('XDEL', key, unpack(dropped))
  call('HINCRBY', K.meta, 'logged' .. phase, -seen)
  return seen
end

local function mayCompact(phase, logged, live, slack, most)
  if tonumber(logged or '0') > 2 * tonumber(live or '0') + slack then return compact(phase, most) end
  return 0
end
`
