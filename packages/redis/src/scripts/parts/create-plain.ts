import { recordHead, recordState } from '../../codec.ts'

/**
 * Plain creations: jobs that are ready at once and have nothing but their payload. Those of one queue, name and state come
 * together, and one command stores them, unless one of them is there already: then each is looked at like any other.
 */
export const createPlain: string = /* lua */ `
local function piecesOf(items, n)
  local ids, sizes, payloads, p = {}, {}, {}, 1
  for i = 1, n do
    local till = p + 29 + sunpack('>I4', items, p + 26)
    ids[i], sizes[i], payloads[i] = sub(items, p, p + 25), sub(items, p + 26, p + 29), sub(items, p + 30, till)
    p = till + 1
  end
  return ids, sizes, payloads
end

local function areNew(ids)
  if not ledger then return true end
  for i = 1, #ids do
    if ledger.jobs[ids[i]] then return false end
    ledger.jobs[ids[i]] = nil
  end
  return true
end

local function createPlain(group, outcomes)
  local items, n, queue, name, version, prio, f, blob = unpack(group)
  local ids, sizes, payloads = piecesOf(items, n)
  local first = spack('${recordHead}', 3, f, 1, now, #blob, 0)
  local middle, names = spack('>I6HHHHI4', now, prio, #queue, #name, 0, version), queue .. name
  local last = spack('${recordState}', now, 0, #blob) .. blob
  local sets, seqs = {}, {}
  for i = 1, n do
    local seq = spack('>I6', nextSeq())
    seqs[i] = seq
    sets[2 * i - 1] = K.job .. ids[i]
    sets[2 * i] = first .. seq .. middle .. sizes[i] .. names .. payloads[i] .. last
  end
  if not areNew(ids) or call('MSETNX', unpack(sets)) == 0 then
    local list = {}
    for i = 1, n do list[i] = { ids[i], queue, name, version, prio, f, blob, payloads[i], false } end
    local answers = openLedger().createAll(list)
    for i = 1, n do outcomes[#outcomes + 1] = answers[i] end
    return
  end
  changed = true
  local list, entered = listIn(listIn(pushed, queue), prio), listIn(listIn(streams, 3), now)
  for i = 1, n do
    list[#list + 1] = seqs[i] .. ids[i]
    entered[#entered + 1] = ids[i]
    outcomes[#outcomes + 1] = 0
  end
  queuesSeen[queue], namesSeen[name] = true, true
  woke[queue] = (woke[queue] or 0) + n
  add('3' .. queue, n)
  add('#3', n)
  local tally = tallyOf(queue, name)
  tally.c = (tally.c or 0) + n
end
`
