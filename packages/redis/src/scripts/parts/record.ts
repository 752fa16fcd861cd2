import { recordFlags, recordHead, recordRest, recordRun, recordState, stateNames } from '../../codec.ts'

/**
 * A job's record in Lua: the same layout as in codec.ts. Texts are never looked into; a state is an opaque piece of which
 * only the first bytes (phase, what follows, name) mean something here. `x` holds what most jobs do not have, so that a
 * plain job never pays for packing it.
 */
export const record: string = /* lua */ `
local AWAITING, SCHEDULED, READY, ACTIVE, PARKED, SUCCEEDED, FAILED, DELETED = 1, 2, 3, 4, 5, 6, 7, 8
local PHASES = { 'awaiting', 'scheduled', 'ready', 'active', 'parked', 'succeeded', 'failed', 'deleted' }
local BIN, RUN, EXTRA, LONG, HANDED, WAITING, CHILDREN, PREFETCHED, NOTED, STUB, FRAIL, QUIET = ${Object.values(recordFlags).join(', ')}
local KEPT = BIN + LONG + HANDED + WAITING + CHILDREN + PREFETCHED + NOTED + STUB + FRAIL + QUIET
local NAMES = { ${stateNames.map((name) => `'${name}'`).join(', ')} }

-- All fields a job will ever have stand in one constructor: a table that grows costs more than the rest of this.
local function parse(id, s)
  local phase, f, n, at, cl, attempt, p = sunpack('${recordHead}', s)
  local ran, cfp, ccall, fp, number, ready, claimed
  if band(f, RUN) ~= 0 then ran, cfp, ccall, fp, number, ready, claimed, p = sunpack('${recordRun}', s, p) end
  local seq, created, prio, ql, nl, crashes, version, pl, queueAt = sunpack('${recordRest}', s, p)
  local nameAt = queueAt + ql
  local xs = ''
  p = nameAt + nl
  local name = sub(s, nameAt, p - 1)
  if band(f, EXTRA) ~= 0 then
    local size = sunpack('>I4', s, p)
    xs = sub(s, p + 4, p + 3 + size)
    p = p + 4 + size
  end
  return {
    id = id, phase = phase, f = band(f, KEPT), prio = prio, attempt = attempt, crashes = crashes, n = n, at = at,
    seq = seq, created = created, version = version, queue = sub(s, queueAt, nameAt - 1), name = name,
    cur = cl > 0 and sub(s, -cl) or '', hist = sub(s, p + pl, -cl - 13), xs = xs, x = nil,
    ready = ready, claimed = claimed, ran = ran, fp = fp, call = number, cfp = cfp, ccall = ccall,
    payload = sub(s, p, p + pl - 1), phase0 = phase, n0 = n, fp0 = fp, dirty = nil, packed = nil, gone = nil,
  }
end

local function X(j)
  local x = j.x
  if not x then
    x = j.xs ~= '' and munpack(j.xs) or {}
    j.x = x
  end
  return x
end

local function has(j, flag) return band(j.f, flag) ~= 0 end
local function set(j, flag) if band(j.f, flag) == 0 then j.f = j.f + flag end end
local function unset(j, flag) if band(j.f, flag) ~= 0 then j.f = j.f - flag end end

-- What a job may have and still be plain.
local UNASKED = { prev = true, params = true, tags = true, crash = true }

local function isQuiet(x)
  for name in pairs(x) do if not UNASKED[name] then return false end end
  return true
end

local function pack(j)
  local xs = j.xs
  if j.x then
    xs = next(j.x) ~= nil and mpack(j.x) or ''
    if isQuiet(j.x) then set(j, QUIET) else unset(j, QUIET) end
  end
  local f, run = j.f, ''
  if j.claimed then
    f = f + RUN
    run = spack('${recordRun}', j.ran, j.cfp, j.ccall, j.fp, j.call, j.ready, j.claimed)
  end
  if xs ~= '' then f = f + EXTRA; xs = spack('>I4', #xs) .. xs end
  return spack('${recordHead}', j.phase, f, j.n, j.at, #j.cur, j.attempt) .. run
    .. spack('${recordRest}', j.seq, j.created, j.prio, #j.queue, #j.name, j.crashes, j.version, #j.payload)
    .. j.queue .. j.name .. xs .. j.payload .. j.hist .. spack('${recordState}', j.at, j.attempt, #j.cur) .. j.cur
end

-- A state the storage enters by itself.
local function stateOf(phase, code, reason) return char(phase, 1, code) .. spack('>H', #reason) .. reason end
local ENQUEUED, DELETION, FAILURE = 1, 2, 3

-- The author and the command stand last in a state, so they can be added here. Most states of a call are the same.
local signatures, signer = {}, nil
local function signed(blob, by, command)
  if not command then
    if by ~= signer then signatures, signer = {}, by end
    local known = signatures[blob]
    if known then return known end
  end
  local bits, tail = byte(blob, 2), ''
  if by and by ~= '' then bits = bits + 16; tail = spack('>H', #by) .. by end
  if command then bits = bits + 32; tail = tail .. spack('>H', #command) .. command end
  local whole = tail == '' and blob or sub(blob, 1, 1) .. char(bits) .. sub(blob, 3) .. tail
  if not command then signatures[blob] = whole end
  return whole
end

-- Name and, if there is one, error of a state.
local function readState(blob)
  local bits, code, p = byte(blob, 2), byte(blob, 3), 4
  local name = NAMES[code]
  if not name then
    local size = sunpack('>H', blob, 4)
    name = sub(blob, 6, 5 + size)
    p = 6 + size
  end
  if band(bits, 8) == 0 then return name end
  if band(bits, 1) ~= 0 then p = p + 2 + sunpack('>H', blob, p) end
  if band(bits, 2) ~= 0 then p = p + 4 + sunpack('>I4', blob, p) end
  local size = sunpack('>H', blob, p)
  local fingerprint = sub(blob, p + 2, p + 1 + size)
  p = p + 2 + size
  size = sunpack('>H', blob, p)
  return name, fingerprint, sub(blob, p + 2, p + 1 + size)
end

local function reasonOf(blob)
  if band(byte(blob, 2), 1) == 0 then return nil end
  local p = 4
  if byte(blob, 3) == 0 then p = 6 + sunpack('>H', blob, 4) end
  local size = sunpack('>H', blob, p)
  return sub(blob, p + 2, p + 1 + size)
end

-- Enters a state: the present one goes to the history, of which the last 200 records are kept.
local function push(j, blob)
  if j.cur ~= '' then
    local hist = j.hist .. spack('${recordState}', j.at, j.attempt, #j.cur) .. j.cur
    if j.n >= 200 then hist = sub(hist, 13 + sunpack('>I4', hist, 9)) end
    j.hist = hist
  end
  j.n = j.n + 1
  if now > j.at then j.at = now end
  j.cur = blob
end
`
