import {
  never,
  recordFlags,
  recordHead,
  recordRest,
  recordRuns,
  recordState,
  runBegun,
  runEnded,
  runLengths,
  runWhole,
  stateLength,
  stateNames,
} from '../../codec/layout.ts'

const { none, begunAhead, ended, whole, wholeAhead } = recordRuns

/**
 * A job's record in Lua: the layout of codec/layout.ts. Texts are never looked into; a state is an opaque piece of which
 * only the first bytes (phase, what follows, name) mean something here. `x` holds what most jobs do not have, so that a
 * plain job never pays for packing it.
 */
export const record: string = /* lua */ `
local AWAITING, SCHEDULED, READY, ACTIVE, PARKED, SUCCEEDED, FAILED, DELETED = 1, 2, 3, 4, 5, 6, 7, 8
local PHASES = { 'awaiting', 'scheduled', 'ready', 'active', 'parked', 'succeeded', 'failed', 'deleted' }
local BIN, EXTRA, LONG, HANDED, WAITING, CHILDREN, PREFETCHED, NOTED, STUB, FRAIL, QUIET = ${Object.values(recordFlags).join(', ')}
local KEPT = BIN + LONG + HANDED + WAITING + CHILDREN + NOTED + STUB + FRAIL + QUIET
local NAMES = { ${stateNames.map((name) => `'${name}'`).join(', ')} }

local RUN_LENGTHS = { [0] = ${runLengths.join(', ')} }

-- ran, cfp, ccall, fp, call, ready, claimed: what the state that stands from one place on says of its run, or nothing.
local function runOf(s, from)
  local at, _, _, _, kind, size, p = sunpack('${recordState}', s, from)
  p = p + size
  if kind == ${none} then return end
  if kind >= ${whole} then return sunpack('${runWhole}', s, p) end
  local before = from - sunpack('>I4', s, from - 4)
  if kind == ${ended} then
    local ran, cfp, ccall = sunpack('${runEnded}', s, p)
    return ran, cfp, ccall, select(4, runOf(s, before))
  end
  local fp, number = sunpack('${runBegun}', s, p)
  local ready = sunpack('>I6', s, before)
  return ${never}, NOBODY, 0, fp, number, ready, at
end

-- All fields a job will ever have stand in one constructor: a table that grows costs more than the rest of this.
local function parse(id, s)
  local f, prio, ql, nl, crashes, version, queueAt = sunpack('${recordHead}', s)
  local nameAt = queueAt + ql
  local p = nameAt + nl
  local name, xs = sub(s, nameAt, p - 1), ''
  local seq, created, pl
  seq, created, pl, p = sunpack('${recordRest}', s, p)
  if band(f, EXTRA) ~= 0 then
    local size = sunpack('>I4', s, p)
    xs = sub(s, p + 4, p + 3 + size)
    p = p + 4 + size
  end
  local from = #s + 1 - sunpack('>I4', s, #s - 3)
  local at, attempt, n, phase, kind, size, curAt = sunpack('${recordState}', s, from)
  local ran, cfp, ccall, fp, number, ready, claimed = runOf(s, from)
  f = band(f, KEPT)
  if kind == ${begunAhead} or kind == ${wholeAhead} then f = f + PREFETCHED end
  return {
    id = id, phase = phase, f = f, prio = prio, attempt = attempt, crashes = crashes, n = n, at = at,
    seq = seq, created = created, version = version, queue = sub(s, queueAt, nameAt - 1), name = name,
    cur = sub(s, curAt, curAt + size - 1), hist = sub(s, p + pl, from - 1), xs = xs, x = nil,
    ready = ready, claimed = claimed, ran = ran, fp = fp, call = number, cfp = cfp, ccall = ccall,
    payload = sub(s, p, p + pl - 1), phase0 = phase, n0 = n, fp0 = fp, call0 = number, at0 = at, dirty = nil, packed = nil, gone = nil,
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

-- A state as it stands in a record; the length of all comes last.
local function written(j, kind, run)
  return spack('${recordState}', j.at, j.attempt, j.n, j.phase, kind, #j.cur) .. j.cur .. run
    .. spack('>I4', ${stateLength + 4} + #j.cur + #run)
end

local function pack(j)
  local xs = j.xs
  if j.x then
    xs = next(j.x) ~= nil and mpack(j.x) or ''
    if isQuiet(j.x) then set(j, QUIET) else unset(j, QUIET) end
  end
  local f, kind, run = band(j.f, KEPT), ${none}, ''
  if j.claimed then
    kind, run = has(j, PREFETCHED) and ${wholeAhead} or ${whole}, spack('${runWhole}', j.ran, j.cfp, j.ccall, j.fp, j.call, j.ready, j.claimed)
  end
  if xs ~= '' then f = f + EXTRA; xs = spack('>I4', #xs) .. xs end
  return spack('${recordHead}', f, j.prio, #j.queue, #j.name, j.crashes, j.version) .. j.queue .. j.name
    .. spack('${recordRest}', j.seq, j.created, #j.payload) .. xs .. j.payload
    .. j.hist .. written(j, kind, run)
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
    local hist = j.hist .. written(j, ${none}, '')
    if j.n >= 200 then
      local _, _, _, _, kind, size = sunpack('${recordState}', hist)
      hist = sub(hist, ${stateLength + 5} + size + RUN_LENGTHS[kind])
    end
    j.hist = hist
  end
  j.n = j.n + 1
  if now > j.at then j.at = now end
  j.cur = blob
end
`
