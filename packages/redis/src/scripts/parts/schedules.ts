/** Recurring records: packed, with a version that grows over all of them, so that what is put again is never taken for what was there. */
export const schedules: string = /* lua */ `
local changed = false

local function tellSchedules()
  if changed then call(A.publish, K.wakeups, mpack({ r = true })) end
end

local function recordOf(id)
  local text = call('HGET', K.recurring, id)
  return text and munpack(text) or nil
end

-- Stores a record under its next version; a paused one is due when its pause ends by itself.
local function store(item)
  item.version = call('HINCRBY', K.meta, 'versions', 1)
  call('HSET', K.recurring, item.id, mpack(item))
  call('ZADD', K.recurringIds, 0, item.id)
  local at = item.nextAt
  if at and item.paused then at = item.pausedUntil and math.max(at, item.pausedUntil) or nil end
  if at then call('ZADD', K.recurringDue, at, item.id) else call('ZREM', K.recurringDue, item.id) end
  call('HINCRBY', K.meta, 'changes', 1)
  changed = true
  return item.version
end
`
