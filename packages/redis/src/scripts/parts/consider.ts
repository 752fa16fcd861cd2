/** What is asked of jobs that are not plain when their turn comes: the second half of claim.ts, on the ledger. */
export const consider: string = /* lua */ `
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
  took(j.id, j, busy)
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

-- Puts back what was popped and not taken.
local function putBack(j)
  touch(j)
  if not has(j, HANDED) then set(j, HANDED) end
  call('ZADD', K.back .. j.queue, 0, spot(j))
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
`
