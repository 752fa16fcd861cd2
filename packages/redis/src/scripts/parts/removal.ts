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
`
