/**
 * Transitions. With a token a step applies only while that very claim holds the job; without one it is a command, which
 * names the phases it expects. CALLER is the session of the exchange, by its fingerprint, and CALL its number.
 */
export const steps: string = /* lua */ `
local NOTHING = {}

local function refused(j) return { 'r', j.phase, (readState(j.cur)) } end

local function expected(j, from)
  local name
  for i = 1, #from do
    local want = from[i]
    if type(want) == 'number' then
      if want == j.phase then return true end
    else
      name = name or readState(j.cur)
      if want == name then return true end
    end
  end
  return false
end

local function remember(x, command)
  if not command then return end
  local list = x.commands or {}
  list[#list + 1] = command
  if #list > 16 then table.remove(list, 1) end
  x.commands = list
end

local function sawCommand(x, command)
  if not command or not x.commands then return false end
  for i = 1, #x.commands do if x.commands[i] == command then return true end end
  return false
end

-- Moves a job on: out of its phase, through the states on the way, into the last one.
local function apply(j, blob, t, o, author)
  local x
  if j.xs ~= '' or j.x then
    x = X(j)
    if x.wish and byte(blob, 1) < SUCCEEDED then
      blob, author = x.wish.blob, x.wish.by
      o = { via = o.via, keep = x.wish.keep, params = o.params, attempt = o.attempt, command = o.command, signed = true }
    end
  end
  local wasRetried, wasActive, wasFinal = false, j.phase == ACTIVE, j.phase >= SUCCEEDED
  -- A command that takes a claim away does not consume its token: the holder's repeat is stale, not done.
  leave(j, t[2] and CALLER or nil, CALL)
  if x and x.open then dropEdges(j) end
  if x and wasFinal and byte(blob, 1) < SUCCEEDED then x.exp = nil end
  if o.via then
    for i = 1, #o.via do
      push(j, signed(o.via[i], author))
      noteFailure(j, o.via[i])
      if byte(o.via[i], 1) == FAILED then wasRetried = true end
    end
  end
  local undone = o.attempt == 'undo' and wasActive
  local adopted = x and x.adopted
  -- It would meet servers that do not know it: it never passes through ready.
  if undone and adopted and byte(blob, 1) == READY then blob = char(PARKED) .. sub(blob, 2) else adopted = nil end
  if x then x.adopted = nil end
  local phase = byte(blob, 1)
  push(j, o.signed and blob or signed(blob, author, o.command))
  noteFailure(j, blob)
  if wasRetried and phase < SUCCEEDED then tell(j, 'r') end
  if t[5] then
    j.ran = math.min(t[5], 4294967294)
    tell(j, t[6])
  end
  local old = undone
  if undone then
    if j.attempt > 0 then j.attempt = j.attempt - 1 end
  elseif o.attempt == 'reset' then j.attempt, j.crashes = 0, 0 end
  if o.queue or o.priority then
    if o.queue and o.queue ~= j.queue then
      j.queue = o.queue
      queuesSeen[o.queue] = true
    end
    j.prio = o.priority or j.prio
    old = false
  end
  if o.params then
    x = X(j)
    local params = x.params or {}
    for name, value in pairs(o.params) do params[name] = value or nil end
    x.params = next(params) ~= nil and params or nil
  end
  if o.command then remember(X(j), o.command) end
  if phase >= SUCCEEDED then
    toFinal(j, phase, o.keep)
    return
  end
  if undone then mayExpireAgain(j) end
  if phase == PARKED then return toParked(j, adopted or o.parkedFor) end
  if phase == SCHEDULED then
    local due = math.ceil(o.at or (now + (o.delay or 0)))
    if due > now then return toScheduled(j, due) end
    push(j, PROMOTED)
    return toReady(j, false)
  end
  toReady(j, old)
end

-- A command to a job that runs: the wish is stored and its holder asked, or the claim is taken away at once.
local function commandActive(j, blob, o)
  local final = byte(blob, 1) >= SUCCEEDED
  if not o.force then
    if not final then return refused(j) end
    local x = X(j)
    touch(j)
    if not x.wish then
      x.wish = { blob = signed(blob, o.by, o.command), by = o.by, keep = o.keep }
      signal(j, { call = j.call, reason = reasonOf(blob), grace = o.grace })
    end
    remember(x, o.command)
    return 4
  end
  return nil
end

local function step(t)
  local j, token, blob, o = get(t[1]), t[2], t[4], t[7] or NOTHING
  if not j then return 3 end
  local stub = has(j, STUB)
  local voided
  if token then
    if stub or j.phase ~= ACTIVE or j.fp ~= token or j.call ~= t[3] then
      if token == CALLER then
        local text = call('HGET', K.signals .. token, j.id)
        if text and munpack(text).call == t[3] then call('HDEL', K.signals .. token, j.id) end
      end
      if j.claimed and j.fp == token and j.call == t[3] and j.cfp == CALLER and j.ccall == CALL and CALL > 0 then return 1 end
      return 2
    end
  else
    if o.command and (j.xs ~= '' or j.x) and sawCommand(X(j), o.command) then return 1 end
    if stub then return 3 end
    if not expected(j, o.from) then return refused(j) end
    if j.phase == ACTIVE then
      local answer = commandActive(j, blob, o)
      if answer then return answer end
      voided = true
    end
  end
  if j.phase >= SUCCEEDED and byte(blob, 1) < SUCCEEDED and (j.xs ~= '' or j.x) then
    local u = X(j).u
    if u and not u.claimed and not (u.till and u.till <= now) then
      local holder = uniqueHolder(u.key, j.id)
      if holder then return { 'd', holder } end
      takeUnique(j)
    end
  end
  local author = o.by
  if not author and token then author = SERVER end
  local fp, number = j.fp, j.call
  apply(j, blob, t, o, author)
  if voided then
    call('HSET', K.signals .. fp, j.id, mpack({ call = number, reason = reasonOf(blob), voided = true }))
    signalled[fp] = true
  end
  local released, created = settle(), nil
  if o.create then
    created = createAll(o.create)
    settle()
  end
  if released == 0 and not created then return 0 end
  return { 'a', released, created }
end
`
