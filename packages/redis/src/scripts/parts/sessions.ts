/** Sessions: a hash each, and one sorted set by the instant at which silence becomes suspect. */
export const sessions: string = /* lua */ `
-- The facts of a live session, or nil once it ended, was recovered or never was.
local function sessionOf(fp)
  local facts = call('HMGET', K.session .. fp, 'id', 'server', 'ttl', 'call', 'ended')
  if not facts[1] or facts[5] then return nil end
  return { id = facts[1], server = facts[2], ttl = tonumber(facts[3]), call = tonumber(facts[4]) }
end

local function renew(fp, ttl) call('ZADD', K.sessions, now + ttl / 2, fp) end

local function bury(fp, ttl)
  call('ZREM', K.sessions, fp)
  call('UNLINK', K.signals .. fp, K.held .. fp)
  call('HSET', K.session .. fp, 'ended', 1)
  call('HDEL', K.session .. fp, 'info', 'done0', 'doneIds0', 'doneCalls0', 'doneCall0', 'done1', 'doneIds1', 'doneCalls1', 'doneCall1')
  call('PEXPIRE', K.session .. fp, math.ceil(ttl * 2))
end

local function signalsOf(fp)
  local list = {}
  local all = call('HGETALL', K.signals .. fp)
  for i = 1, #all, 2 do
    local s = munpack(all[i + 1])
    s.id = all[i]
    list[#list + 1] = s
  end
  return list
end
`
