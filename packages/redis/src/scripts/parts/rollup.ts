/** Minutes become packed rows of days, hours and years: small, few, and each family expires by itself. */
export const rollup: string = /* lua */ `
local function merge(key, field, minute, seconds)
  local text = call('HGET', key, field)
  local all = text and munpack(text) or {}
  for pair, what in pairs(minute) do
    local into = all[pair] or {}
    all[pair] = into
    for name, n in pairs(what) do into[name] = (into[name] or 0) + n end
  end
  call('HSET', key, field, mpack(all))
  call('EXPIRE', key, seconds)
end

-- Rolls up minutes that are over. True when there are more.
local function rollUp(most)
  local current = floor(now / 60000)
  local over = call('ZRANGEBYSCORE', K.minutes, '-inf', current - 2, 'LIMIT', 0, most)
  for i = 1, #over do
    local all, minute = call('HGETALL', K.minute .. over[i]), {}
    for k = 1, #all, 2 do
      local pair, what = string.match(all[k], '^(%d+)(.+)$')
      minute[pair] = minute[pair] or {}
      minute[pair][what] = tonumber(all[k + 1])
    end
    local at = tonumber(over[i])
    local hour, day = floor(at / 60), floor(at / 1440)
    if next(minute) ~= nil then
      merge(K.rolled .. 'm' .. day, over[i], minute, 3 * 86400)
      merge(K.rolled .. 'h' .. floor(day / 30), hour, minute, 62 * 86400)
      merge(K.rolled .. 'd', day, minute, 400 * 86400)
    end
    call('DEL', K.minute .. over[i])
    call('ZREM', K.minutes, over[i])
  end
  if #over > 0 then
    local old = {}
    local days = call('HKEYS', K.rolled .. 'd')
    for i = 1, #days do if tonumber(days[i]) < current / 1440 - 367 then old[#old + 1] = days[i] end end
    if #old > 0 then call('HDEL', K.rolled .. 'd', unpack(old)) end
  end
  return #over == most
end
`
