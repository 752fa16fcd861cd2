import { held } from './held.ts'

/** What becomes of the jobs of a session that ended or was lost. */
export const handback: string = /* lua */ `
${held}
-- Gives a held job back. how: 'undo' uncharged, 'lost' charged.
local function handBack(j, how)
  local x = (j.xs ~= '' or j.x) and X(j) or nil
  local prefetched = has(j, PREFETCHED)
  local charged = how == 'lost' and not prefetched
  local wish, adopted = x and x.wish, x and x.adopted
  leave(j)
  if charged then j.crashes = j.crashes + 1 end
  if prefetched and how == 'lost' then set(j, FRAIL) end
  if wish then
    push(j, wish.blob)
    noteFailure(j, wish.blob)
    if not charged and j.attempt > 0 then j.attempt = j.attempt - 1 end
    toFinal(j, byte(wish.blob, 1), wish.keep)
    return
  end
  if charged and j.crashes >= (x and x.crash or 3) then
    push(j, CRASHED)
    toFinal(j, FAILED)
    return
  end
  if adopted then push(j, PARKED_AGAIN)
  elseif how == 'lost' then push(j, RECOVERED)
  else push(j, HANDED_BACK) end
  if not charged and j.attempt > 0 then j.attempt = j.attempt - 1 end
  if not charged then mayExpireAgain(j) end
  if x then x.adopted = nil end
  if adopted then toParked(j, adopted) else toReady(j, true) end
end

-- Up to so many jobs of a session; their ids, and whether it holds more.
local function handBackSome(fp, limit, how)
  local ids, claims = {}, claimsOf(fp)
  for i = 1, #claims do
    local list = heldSince(claims[i])
    for k = 1, #list do
      if #ids == limit then return ids, true end
      handBack(list[k], how)
      ids[#ids + 1] = list[k].id
    end
  end
  return ids, false
end
`
