/** What a session holds, told by its claims: of what they took, the records tell whether it is held still. */
export const held: string = /* lua */ `
-- The claims of a session of which something may be held, in order.
local function claimsOf(fp)
  local fields, claims = call('HKEYS', K.held .. fp), {}
  for i = 1, #fields do
    local number, at = string.match(fields[i], '^(%d+) (%d+)$')
    if number then claims[#claims + 1] = { fp = fp, field = fields[i], call = tonumber(number), at = tonumber(at) } end
  end
  table.sort(claims, function(a, b) return a.call < b.call or (a.call == b.call and a.at < b.at) end)
  return claims
end

-- The jobs of a claim that are held since.
local function heldSince(claim)
  local list, found = call('HGET', K.held .. claim.fp, claim.field) or '', {}
  local ids = {}
  for p = 1, #list, 26 do ids[#ids + 1] = sub(list, p, p + 25) end
  load(ids)
  for i = 1, #ids do
    local j = get(ids[i])
    if j and j.phase == ACTIVE and j.fp == claim.fp and j.call == claim.call then found[#found + 1] = j end
  end
  return found
end
`
