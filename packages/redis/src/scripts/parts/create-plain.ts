import { recordHead, recordState } from '../../codec.ts'

/**
 * Plain creations: jobs that are ready at once and have nothing but their payload. Those of one queue, name and state come
 * together, and one command stores them, unless one of them is there already: then each is looked at like any other.
 */
export const createPlain: string = /* lua */ `
local function areNew(ids)
  if not ledger then return true end
  for i = 1, #ids do
    if ledger.jobs[ids[i]] then return false end
    ledger.jobs[ids[i]] = nil
  end
  return true
end

local function createPlain(group, outcomes)
  local items, queue, name, version, prio, f, blob = unpack(group)
  local n, ids, seqs, sets, middles = #items / 2, {}, {}, {}, {}
  local first = spack('${recordHead}', 3, f, 1, now, #blob, 0)
  local last = spack('${recordState}', now, 0, #blob) .. blob
  for i = 1, n do
    local id, payload, seq = items[2 * i - 1], items[2 * i], spack('>I6', nextSeq())
    local middle = middles[#payload]
    if not middle then
      middle = spack('>I6HHHHI4I4', now, prio, #queue, #name, 0, version, #payload) .. queue .. name
      middles[#payload] = middle
    end
    ids[i], seqs[i] = id, seq
    sets[2 * i - 1], sets[2 * i] = K.job .. id, first .. seq .. middle .. payload .. last
  end
  if not areNew(ids) or call('MSETNX', unpack(sets)) == 0 then
    local list = {}
    for i = 1, n do list[i] = { ids[i], queue, name, version, prio, f, blob, items[2 * i], false } end
    local answers = openLedger().createAll(list)
    for i = 1, n do outcomes[#outcomes + 1] = answers[i] end
    return
  end
  changed = true
  local list, entered, told = listIn(listIn(pushed, queue), prio), listIn(listIn(streams, 3), now), #outcomes
  local listed, held = #list, #entered
  for i = 1, n do
    list[listed + i] = seqs[i] .. ids[i]
    entered[held + i] = ids[i]
    outcomes[told + i] = 0
  end
  queuesSeen[queue], namesSeen[name] = true, true
  woke[queue] = (woke[queue] or 0) + n
  add('3' .. queue, n)
  add('#3', n)
  local tally = tallyOf(queue, name)
  tally.c = (tally.c or 0) + n
end
`
