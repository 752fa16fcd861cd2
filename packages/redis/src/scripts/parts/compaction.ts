import { recordFlags, recordState } from '../../codec/layout.ts'

/** What streams hold of jobs that left, kept in proportion to what lives. */
export const compaction: string = /* lua */ `
local function isLive(s, phase, at)
  if not s or band(sunpack('>I3', s), ${recordFlags.stub}) ~= 0 then return false end
  local since, _, _, present = sunpack('${recordState}', s, #s + 1 - sunpack('>I4', s, #s - 3))
  return since == at and present == phase
end

-- Drops entries from the head of a stream: ids that still stand there move to the index.
local function compact(phase, most)
  local key = K.entered .. phase
  local entries = call('XRANGE', key, '-', '+', 'COUNT', 64)
  local dropped, seen, stay = {}, 0, {}
  for i = 1, #entries do
    if seen >= most then break end
    local at, ids = tonumber(entries[i][2][1]), entries[i][2][2]
    local keys = {}
    for p = 1, #ids, 26 do keys[#keys + 1] = K.job .. sub(ids, p, p + 25) end
    local raw = readAll(keys)
    seen = seen + #keys
    for k = 1, #keys do
      if isLive(raw[k], phase, at) then
        stay[#stay + 1] = at
        stay[#stay + 1] = sub(ids, 26 * k - 25, 26 * k)
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

-- When nothing lives, there is nothing to look at.
local function clear(phase, logged)
  call('UNLINK', K.entered .. phase)
  call('HINCRBY', K.meta, 'logged' .. phase, -logged)
  return logged
end

local function mayCompact(phase, logged, live, slack, most)
  logged, live = tonumber(logged or '0'), tonumber(live or '0')
  if logged <= 2 * live + slack then return 0 end
  if live == 0 then return clear(phase, logged) end
  return compact(phase, most)
end
`
