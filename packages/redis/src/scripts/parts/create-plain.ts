import { recordHead, recordRest, recordState, stateLength } from '../../codec/layout.ts'

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
  local first = spack('${recordHead}', f, prio, #queue, #name, 0, version) .. queue .. name
  local last = spack('${recordState}', now, 0, 1, 3, 0, #blob) .. blob .. spack('>I4', ${stateLength + 4} + #blob)
  for i = 1, n do
    local id, payload, seq = items[2 * i - 1], items[2 * i], spack('>I6', nextSeq())
    local middle = middles[#payload]
    if not middle then
      -- All but the place, which stands first and is another for each.
      middle = sub(spack('${recordRest}', 0, now, #payload), 7)
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
  local list, entered = listIn(listIn(pushed, queue), prio), listIn(listIn(streams, 3), now)
  local listed, filed, answered = #list, #entered, #outcomes
  for i = 1, n do
    list[listed + i] = seqs[i] .. ids[i]
    entered[filed + i] = ids[i]
    outcomes[answered + i] = 0
  end
  woke[queue] = (woke[queue] or 0) + n
  add('3' .. queue, n)
  add('#3', n)
  local tally = tallyOf(queue, name)
  tally.c = (tally.c or 0) + n
end
`
