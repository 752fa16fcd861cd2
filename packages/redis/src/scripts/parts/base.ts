/** Where every script begins: the root of all keys, the arguments, the server's clock. */
export const base: string = /* lua */ `
local NOBODY = '--------'
local R, A = KEYS[1], cmsgpack.unpack(ARGV[1])
local call, sub, char, byte, floor, band = redis.call, string.sub, string.char, string.byte, math.floor, bit.band
local spack, sunpack, mpack, munpack = struct.pack, struct.unpack, cmsgpack.pack, cmsgpack.unpack
local time = call('TIME')
local now = time[1] * 1000 + floor(time[2] / 1000)
local nowText, nowBytes = string.format('%.0f', now), spack('>I6', now)

-- One command with many arguments, in slices the Lua stack can hold.
local function many(command, key, list)
  for i = 1, #list, 4000 do
    call(command, key, unpack(list, i, math.min(i + 3999, #list)))
  end
end

local function readAll(keys)
  if #keys == 0 then return {} end
  if #keys <= 4000 then return call('MGET', unpack(keys)) end
  local all = {}
  for i = 1, #keys, 4000 do
    local part = call('MGET', unpack(keys, i, math.min(i + 3999, #keys)))
    for k = 1, #part do all[i + k - 1] = part[k] end
  end
  return all
end

local function setAll(list)
  for i = 1, #list, 4000 do call('MSET', unpack(list, i, math.min(i + 3999, #list))) end
end
`
