/**
 * The jobs a call touches are read once, changed in Lua tables and written back once; what follows from what changed goes
 * into the books. Whatever changes a job goes through here, but for plain creations, claims and ends.
 */
export const ledger: string = /* lua */ `
local jobs, touched = {}, {}

local function load(ids)
  local want, keys = {}, {}
  for i = 1, #ids do
    local id = ids[i]
    if jobs[id] == nil then
      jobs[id] = false
      want[#want + 1] = id
      keys[#keys + 1] = K.job .. id
    end
  end
  local raw = readAll(keys)
  for i = 1, #want do if raw[i] then jobs[want[i]] = parse(want[i], raw[i]) end end
end

local function get(id)
  local j = jobs[id]
  if j == nil then
    load({ id })
    j = jobs[id]
  end
  return j
end

-- A job of which the record was read already, though not by the ledger.
local function known(id, s)
  if jobs[id] == nil then jobs[id] = parse(id, s) end
  return jobs[id]
end

local function touch(j)
  if not j.dirty then
    j.dirty = true
    touched[#touched + 1] = j
  end
end

-- The name of a counter: made once for each queue, for turning numbers into text is dear.
local counters = { {}, {}, {}, {}, {}, {}, {}, {} }
local TOTALS = { [READY] = '#3', [SUCCEEDED] = '#6' }

local function count(j, by)
  local phase, queue = j.phase, j.queue
  local field = counters[phase][queue]
  if not field then
    field = phase .. queue
    counters[phase][queue] = field
  end
  cnt[field] = (cnt[field] or 0) + by
  local total = TOTALS[phase]
  if total then cnt[total] = (cnt[total] or 0) + by
  elseif phase == SCHEDULED and j.attempt > 0 then add('#retrying', by) end
end

-- Which lists a job leaves and joins.
local function indexed(j)
  local from, to, list = j.phase0, j.phase, nil
  if from == ACTIVE then give(j.fp0, claimOf(j.call0, j.at0), 1)
  elseif from then
    list = listIn(outs, from)
    list[#list + 1] = j.id
  end
  if j.gone then return end
  if to == READY or to == SUCCEEDED then
    list = listIn(listIn(streams, to), j.at)
    list[#list + 1] = j.id
  elseif to == ACTIVE then
    list = listIn(listIn(gained, j.fp), claimOf(j.call, j.at))
    list[#list + 1] = j.id
  else
    list = listIn(ins, to)
    list[#list + 1] = j.at == now and nowText or j.at
    list[#list + 1] = j.id
  end
end

local function tell(j, what)
  local deltas = tallyOf(j.queue, j.name)
  deltas[what] = (deltas[what] or 0) + 1
end

writeJobs = function()
  local sets, dels = {}, {}
  for i = 1, #touched do
    local j = touched[i]
    if j.gone then
      if j.gone == 'deleted' then dels[#dels + 1] = K.job .. j.id end
    else
      j.packed = pack(j)
      sets[#sets + 1] = K.job .. j.id
      sets[#sets + 1] = j.packed
    end
    if j.gone or j.n ~= j.n0 then indexed(j) end
  end
  setAll(sets)
  for i = 1, #dels, 4000 do call('UNLINK', unpack(dels, i, math.min(i + 3999, #dels))) end
  return touched
end
`
