/**
 * Where jobs stand: leaving a phase takes a job out of its structures, placing it puts it into those of the next. A list
 * entry of a job that left otherwise than by a claim stays behind as a tombstone: its record tells another place.
 */
export const places: string = /* lua */ `
local freeGates, unwait, unoffer

local function spot(j) return spack('>HI6', j.prio, j.seq) .. j.id end
local function parkedKey(j) return K.parked .. #j.queue .. ':' .. j.queue .. ':' .. X(j).parkedFor end

local function signal(j, what)
  call('HSET', K.signals .. j.fp, j.id, mpack(what))
  signalled[j.fp] = true
end

-- consumer: whose call ends an active claim. popped: a claim already took it out of its list.
local function leave(j, consumer, consumerCall, popped)
  touch(j)
  count(j, -1)
  local phase = j.phase
  if phase == READY then
    if has(j, HANDED) then
      if not popped then call('ZREM', K.back .. j.queue, spot(j)) end
      unset(j, HANDED)
    elseif has(j, WAITING) then unwait(j)
    elseif not popped then
      add('d' .. j.queue, 1)
    end
    if j.xs ~= '' or j.x then unoffer(j) end
  elseif phase == ACTIVE then
    j.cfp, j.ccall = consumer or NOBODY, consumerCall or 0
    unset(j, PREFETCHED)
    if j.xs ~= '' or j.x then
      local x = X(j)
      if x.wish then call('HDEL', K.signals .. j.fp, j.id) end
      freeGates(j)
    end
  elseif phase == SCHEDULED then
    call('ZREM', K.due, spack('>I6', j.seq) .. j.id)
    X(j).due = nil
  elseif phase == PARKED then
    call('ZREM', parkedKey(j), spot(j))
  elseif phase >= SUCCEEDED then
    if phase == DELETED then call('ZREM', K.removal, j.id) end
    if j.xs ~= '' or j.x then
      local x = X(j)
      if x.rm then call('ZREM', K.removal, j.id) end
      x.rm = nil
    end
  end
end

-- An attempt that did not count leaves the job as free to expire as it was.
local function mayExpireAgain(j)
  if j.x and j.x.exp and j.attempt == 0 then call('ZADD', K.expiring, j.x.exp, j.id) end
end

local function toReady(j, old)
  j.phase = READY
  if j.claimed then j.ready = j.at end
  if old and j.claimed then
    set(j, HANDED)
    call('ZADD', K.back .. j.queue, 0, spot(j))
  else
    j.seq = nextSeq()
    local lists = pushed[j.queue]
    if not lists then
      lists = {}
      pushed[j.queue] = lists
    end
    local list = lists[j.prio]
    if not list then
      list = {}
      lists[j.prio] = list
    end
    list[#list + 1] = spack('>I6', j.seq) .. j.id
  end
  count(j, 1)
  woke[j.queue] = (woke[j.queue] or 0) + 1
end

local function toScheduled(j, due)
  j.phase = SCHEDULED
  j.seq = nextSeq()
  X(j).due = due
  call('ZADD', K.due, due, spack('>I6', j.seq) .. j.id)
  count(j, 1)
  woke[j.queue] = woke[j.queue] or 0
end

local function toParked(j, parkedFor)
  j.phase = PARKED
  X(j).parkedFor = parkedFor
  call('ZADD', parkedKey(j), 0, spot(j))
  count(j, 1)
  woke[j.queue] = woke[j.queue] or 0
end
`
