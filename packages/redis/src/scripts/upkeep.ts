import { changing } from './changing.ts'
import { compaction } from './parts/compaction.ts'
import { create } from './parts/create.ts'
import { handback } from './parts/handback.ts'
import { removal } from './parts/removal.ts'
import { rollup } from './parts/rollup.ts'
import { sessions } from './parts/sessions.ts'
import { script } from './script.ts'
import type { Script } from './script.ts'

type Limited = Script<{ limit: number; publish: string }>

/** What is owed first, then what is due, what expired, and waiters of gates that have room again. */
export const promote: Limited = script(
  'promote',
  [
    ...changing,
    /* lua */ `
    local moved, left = 0, A.limit
    budget = A.limit
    while budget > 0 do
      local text = call('LINDEX', K.owed, 0)
      if not text then break end
      local d = munpack(text)
      local done, children = decideAll(d)
      moved = moved + children
      if not done then
        call('LSET', K.owed, 0, mpack(d))
        break
      end
      call('LPOP', K.owed)
      local parent = get(d.parent)
      if parent and X(parent).owed then
        touch(parent)
        X(parent).owed = X(parent).owed > 1 and X(parent).owed - 1 or nil
      end
    end
    moved = moved + settle()
    left = left - moved

    local due = left > 0 and call('ZRANGEBYSCORE', K.due, '-inf', now, 'LIMIT', 0, left) or {}
    local ids = {}
    for i = 1, #due do ids[i] = sub(due[i], 7) end
    load(ids)
    seqSlice = math.max(16, #ids)
    for i = 1, #due do
      local j = get(ids[i])
      if j and j.phase == SCHEDULED then
        leave(j)
        push(j, PROMOTED)
        toReady(j)
        moved = moved + 1
      else call('ZREM', K.due, due[i]) end
    end
    left = left - #due

    local stale = left > 0 and call('ZRANGEBYSCORE', K.expiring, '-inf', now, 'LIMIT', 0, left) or {}
    load(stale)
    for i = 1, #stale do
      local j = get(stale[i])
      if j and j.phase < SUCCEEDED and j.phase ~= ACTIVE and j.attempt == 0 then
        leave(j)
        if X(j).open then dropEdges(j) end
        push(j, EXPIRED)
        toFinal(j, DELETED)
        moved = moved + 1
      end
      call('ZREM', K.expiring, stale[i])
    end
    settle()

    local opened = call('ZRANGEBYSCORE', K.openings, '-inf', now, 'LIMIT', 0, 50)
    for i = 1, #opened do moved = moved + offer(opened[i]) end
    local waiting = call('ZRANGE', K.gates, 0, 49)
    for i = 1, #waiting do moved = moved + offer(waiting[i]) end
    pushReady()
    flush()

    local nextDue
    for _, key in ipairs({ K.due, K.expiring, K.openings }) do
      local head = call('ZRANGE', key, 0, 0, 'WITHSCORES')[2]
      if head and (not nextDue or tonumber(head) < nextDue) then nextDue = tonumber(head) end
    end
    local again = false
    if call('EXISTS', K.owed) == 1 then again, nextDue = true, now end
    if nextDue and nextDue <= now and left <= 0 then again = true end
    return mpack({ moved = moved, again = again, due = nextDue })
    `,
  ],
  { runsWhenFull: true },
)

/** Two looks at each silent session; the second one, half a ttl later, takes its jobs. */
export const recover: Limited = script(
  'recover',
  [
    ...changing,
    sessions,
    handback,
    /* lua */ `
    local silent = call('ZRANGEBYSCORE', K.sessions, '-inf', now, 'WITHSCORES', 'LIMIT', 0, 1000)
    local lost, recovered, left, again = {}, {}, A.limit, false
    local soonest = call('ZRANGEBYSCORE', K.sessions, '(' .. nowText, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
    local look = soonest and tonumber(soonest) or math.huge
    for i = 1, #silent, 2 do
      local fp = silent[i]
      local facts = call('HMGET', K.session .. fp, 'id', 'ttl', 'suspect')
      local ttl = tonumber(facts[2] or '0')
      local seen, suspect = tonumber(silent[i + 1]) - ttl / 2, tonumber(facts[3] or '-1')
      if not facts[1] then call('ZREM', K.sessions, fp)
      elseif suspect < seen then
        call('HSET', K.session .. fp, 'suspect', now)
        look = math.min(look, now + ttl / 2)
      elseif now - suspect < ttl / 2 then look = math.min(look, suspect + ttl / 2)
      else
        if left <= 0 then again = true
        else
          local ids, holds = handBackSome(fp, left, 'lost')
          left = left - #ids
          for k = 1, #ids do recovered[#recovered + 1] = ids[k] end
          if holds then
            again = true
            call('HSET', K.session .. fp, 'ended', 1)
          else
            lost[#lost + 1] = facts[1]
            bury(fp, ttl)
            signalled[fp] = true
          end
        end
      end
    end
    if #lost > 0 then meta.sessions = #lost end
    settle()
    pushReady()
    flush()
    if again then look = now end
    return mpack({ jobs = recovered, sessions = lost, again = again, look = look < math.huge and look or nil })
    `,
  ],
  { runsWhenFull: true },
)

/** Removes what retention lets go, and what lists and streams still hold of jobs that left. */
export const sweep: Limited = script(
  'sweep',
  [
    ...changing,
    create,
    removal,
    compaction,
    rollup,
    /* lua */ `
    local removed, left, again = 0, A.limit, false
    local due = call('ZRANGEBYSCORE', K.removal, '-inf', now, 'LIMIT', 0, left)
    load(due)
    for i = 1, #due do
      local j = get(due[i])
      if not j or has(j, STUB) or j.phase < SUCCEEDED then call('ZREM', K.removal, due[i])
      elseif remove(j) then
        removed = removed + 1
        call('ZREM', K.removal, due[i])
      elseif X(j).owed then call('ZADD', K.removal, now + 1000, due[i])
      -- What it decides may be the last that waits for a later one of these.
      else settle() end
    end
    left = left - #due
    if left <= 0 then again = true end

    -- The stream of what succeeded is in order of time, so retention walks its head.
    while left > 0 do
      local entries = call('XRANGE', K.entered .. SUCCEEDED, '-', string.format('%.0f', now - DEFAULT_KEEP[SUCCEEDED]), 'COUNT', 8)
      if #entries == 0 then break end
      local dropped, seen = {}, 0
      for i = 1, #entries do
        local at, ids, list = tonumber(entries[i][2][1]), entries[i][2][2], {}
        for p = 1, #ids, 26 do list[#list + 1] = sub(ids, p, p + 25) end
        load(list)
        for k = 1, #list do
          local j = get(list[k])
          if j and not j.gone and not has(j, STUB) and j.phase == SUCCEEDED and j.at == at then
            if (j.xs == '' and not j.x or X(j).rm == nil) and remove(j) then removed = removed + 1
            elseif j.phase == SUCCEEDED then call('ZADD', K.index .. SUCCEEDED, j.at, j.id) end
          end
        end
        seen = seen + #list
        dropped[#dropped + 1] = entries[i][1]
      end
      call('XDEL', K.entered .. SUCCEEDED, unpack(dropped))
      call('HINCRBY', K.meta, 'logged6', -seen)
      left = left - seen
      if left <= 0 then again = true end
    end
    settle()

    -- Dead entries at the heads of lists: while they outnumber the living, the living move to the handed-back ones.
    local page = call('HSCAN', K.queues, call('HGET', K.meta, 'scan') or '0', 'MATCH', 'd*', 'COUNT', 1000)
    call('HSET', K.meta, 'scan', page[1])
    for i = 1, #page[2], 2 do
      local queue, dead = sub(page[2][i], 2), tonumber(page[2][i + 1])
      local most = math.max(1000, tonumber(call('HGET', K.queues, READY .. queue) or '0'))
      local looked = 0
      while dead > most and looked < 2000 do
        local first = call('ZRANGE', K.priorities .. queue, 0, 0)[1]
        if not first then break end
        local list = call('LPOP', K.ready .. first .. ':' .. queue, 500)
        if not list or #list < 500 then call('ZREM', K.priorities .. queue, first) end
        local ids = {}
        list = list or {}
        for k = 1, #list do ids[k] = sub(list[k], 7) end
        load(ids)
        for k = 1, #list do
          local j = get(ids[k])
          if j and j.phase == READY and sunpack('>I6', list[k]) == j.seq and not has(j, HANDED) and not has(j, WAITING)
            and j.prio == tonumber(first) and j.queue == queue then
            touch(j)
            set(j, HANDED)
            call('ZADD', K.back .. queue, 0, spot(j))
          else
            add('d' .. queue, -1)
            dead = dead - 1
          end
        end
        looked = looked + 500
      end
      if dead > most then again = true end
    end
    pushReady()
    flush()

    local facts = call('HMGET', K.meta, 'logged3', 'logged6')
    local live = call('HMGET', K.queues, '#3', '#6')
    if mayCompact(READY, facts[1], live[1], 1024, 1000) + mayCompact(SUCCEEDED, facts[2], live[2], 1024, 1000) > 0 then again = true end
    if rollUp(20) then again = true end
    return mpack({ removed = removed, again = again })
    `,
  ],
  { runsWhenFull: true },
)
