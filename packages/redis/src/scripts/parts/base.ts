/** Where every script begins: the root of all keys, the arguments, the server's clock. */
export const base: string = /* lua */ `
local R, A = KEYS[1], cmsgpack.unpack(ARGV[1])
local call, sub, char, byte, floor, band = redis.call, string.sub, string.char, string.byte, math.floor, bit.band
local spack, sunpack, mpack, munpack = struct.pack, struct.unpack, cmsgpack.pack, cmsgpack.unpack
local time = call('TIME')
local now = time[1] * 1000 + floor(time[2] / 1000)
local nowText = string.format('%.0f', now)

-- One command with many arguments, in slices the Lua stack can hold.
local function many(command, key, list)
  for i = 1, #list, 4000 do
    call(command, key, unpack(list, i, math.min(i + 3999, #list)))
  end
end
`
