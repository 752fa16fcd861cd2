import { base } from './parts/base.ts'
import { books } from './parts/books.ts'
import { entered } from './parts/entered.ts'
import { held } from './parts/held.ts'
import { ledger } from './parts/ledger.ts'
import { pages } from './parts/pages.ts'
import { record } from './parts/record.ts'
import { script } from './script.ts'
import type { Script } from './script.ts'

const reading: readonly string[] = [base, books, record, entered, ledger, held, pages]

/** Jobs with all that belongs to them: record, long payload, progress, parents, number of children. */
export const viewJobs: Script<{ ids: readonly string[] }> = script('view-jobs', [
  ...reading,
  /* lua */ `
  load(A.ids)
  local reply = {}
  for i = 1, #A.ids do
    local j = get(A.ids[i])
    if not j or has(j, STUB) then reply[i] = false
    else
      local parents = {}
      for _, id in ipairs(X(j).parents or {}) do
        local parent = get(id)
        parents[#parents + 1] = { id, parent and not has(parent, STUB) and parent.phase or 0 }
      end
      reply[i] = {
        pack(j), has(j, LONG) and call('GET', K.payload .. j.id) or '',
        has(j, NOTED) and call('GET', K.progress .. j.id) or '',
        mpack({ parents = parents, children = has(j, CHILDREN) and call('ZCARD', K.children .. j.id) or 0 }),
      }
    end
  end
  return reply
  `,
])

export interface PageArgs {
  /** 1…8, or 0 for the jobs of one session, or of one parent. */
  readonly phase: number
  readonly fp?: string | undefined
  readonly parent?: string | undefined
  readonly newest: boolean
  readonly at?: number | undefined
  readonly id?: string | undefined
  readonly count: number
  readonly from?: number | undefined
  readonly to?: number | undefined
}

/** One page of jobs in the order in which they entered their phase, and how far it looked. */
export const pageEntered: Script<{ [Key in keyof PageArgs]: PageArgs[Key] }> = script('page-entered', [
  ...reading,
  /* lua */ `
  local found, horizon
  if A.parent then found = ofParent(A.parent)
  elseif A.phase == ACTIVE then found, horizon = ofSessions(A.fp and { A.fp } or call('ZRANGE', K.sessions, 0, -1))
  else found, horizon = ofPhase(A.phase) end
  return replyWith(found, horizon)
  `,
])

/** One page of a queue's ready jobs in the order of claims. */
export const pageClaims: Script<{ queue: string; after?: Buffer | undefined; count: number }> = script('page-claims', [
  ...reading,
  /* lua */ `
  local found = claimOrder(A.queue, A.after, A.count)
  local ids, reply = {}, { '' }
  for i = 1, #found do ids[i] = sub(found[i], 9) end
  load(ids)
  local spots = {}
  for i = 1, #found do
    local j = get(ids[i])
    if j and j.phase == READY then
      spots[#spots + 1] = found[i]
      reply[#reply + 1] = summary(j)
    end
  end
  reply[1] = mpack({ spots = spots, last = found[#found] })
  return reply
  `,
])

/** One page of scheduled jobs by due time. */
export const pageDue: Script<{ at?: number | undefined; member?: Buffer | undefined; count: number }> = script(
  'page-due',
  [
    ...reading,
    /* lua */ `
  local list = {}
  if A.at then
    local ties = call('ZRANGEBYSCORE', K.due, A.at, A.at)
    for i = 1, #ties do if ties[i] > A.member then list[#list + 1] = { A.at, ties[i] } end end
  end
  local rest = call('ZRANGEBYSCORE', K.due, A.at and '(' .. A.at or '-inf', '+inf', 'WITHSCORES', 'LIMIT', 0, A.count)
  for i = 1, #rest, 2 do list[#list + 1] = { tonumber(rest[i + 1]), rest[i] } end
  local ids, marks, reply = {}, {}, { '' }
  for i = 1, math.min(#list, A.count) do ids[i] = sub(list[i][2], 7) end
  load(ids)
  for i = 1, #ids do
    local j = get(ids[i])
    if j then
      marks[#marks + 1] = list[i]
      reply[#reply + 1] = ids[i]
      reply[#reply + 1] = summary(j)
    end
  end
  reply[1] = mpack({ marks = marks, full = #list > #ids })
  return reply
  `,
  ],
)

/** Counters as they stand, and the head of every queue that has something ready. */
export const readCounts: Script<{ heads: boolean }> = script('read-counts', [
  ...reading,
  /* lua */ `
  local all, heads = call('HGETALL', K.queues), {}
  for i = 1, #all, 2 do
    if sub(all[i], 1, 1) == '3' then
      local queue = sub(all[i], 2)
      local at = oldestReady(queue)
      if at then
        heads[#heads + 1] = queue
        heads[#heads + 1] = string.format('%.0f', at)
      end
    end
  end
  return { string.format('%.0f', now), all, heads, call('ZRANGE', K.names .. 'queue', 0, -1) }
  `,
])

/** Why a job does not run. */
export const readStanding: Script<{ id: string }> = script('read-standing', [
  ...reading,
  /* lua */ `
  local j = get(A.id)
  if not j or has(j, STUB) then return false end
  local x, answer = X(j), { gates = {}, parents = {} }
  for _, gate in ipairs(x.gates or {}) do
    local tokens, opensAt
    if gate.max then
      local text = call('GET', K.bucket .. 'g' .. gate.key)
      if text then
        local full = tonumber(text)
        local missing = math.max(0, full - now)
        tokens = floor((gate.per - missing) / (gate.per / gate.max) + 1e-6)
        if tokens <= 0 then opensAt = math.ceil(full - gate.per + gate.per / gate.max) end
      end
    end
    answer.gates[#answer.gates + 1] = {
      gate.key, gate.limit or false, call('SCARD', K.holders .. gate.key), call('SRANDMEMBER', K.holders .. gate.key, 10), opensAt or false,
    }
  end
  for _, id in ipairs(x.parents or {}) do
    local parent = get(id)
    answer.parents[#answer.parents + 1] = { id, parent and not has(parent, STUB) and parent.phase or 0 }
  end
  if j.phase == READY then answer.ahead, answer.exact = aheadOf(j) end
  return { pack(j), mpack(answer), call('HGET', K.queues, 'c' .. j.queue) or '' }
  `,
])

/** Tallies of a span: rolled up ones and live minutes, as they are stored. */
export const readSeries: Script<{ keys: readonly string[] }> = script('read-series', [
  base,
  /* lua */ `
  local reply = { call('HGETALL', K.pairs), {}, {} }
  for i = 1, #A.keys do
    local all = call('HGETALL', K.rolled .. A.keys[i])
    for k = 1, #all do reply[2][#reply[2] + 1] = all[k] end
  end
  local minutes = call('ZRANGE', K.minutes, 0, -1)
  for i = 1, #minutes do
    reply[3][#reply[3] + 1] = minutes[i]
    reply[3][#reply[3] + 1] = call('HGETALL', K.minute .. minutes[i])
  end
  return reply
  `,
])

/** Error groups, the latest first. */
export const readErrors: Script<{
  fingerprint?: string | undefined
  at?: number | undefined
  before?: string | undefined
  count: number
}> = script('read-errors', [
  base,
  /* lua */ `
    local list = {}
    if A.fingerprint then list = { A.fingerprint }
    else
      if A.at then
        local ties = call('ZREVRANGEBYSCORE', K.errors, A.at, A.at)
        for i = 1, #ties do if ties[i] < A.before then list[#list + 1] = ties[i] end end
      end
      local rest = call('ZREVRANGEBYSCORE', K.errors, A.at and '(' .. string.format('%.0f', A.at) or '+inf', '-inf', 'LIMIT', 0, A.count)
      for i = 1, #rest do list[#list + 1] = rest[i] end
    end
    local reply = { string.format('%.0f', now) }
    for i = 1, math.min(#list, A.count) do
      reply[#reply + 1] = list[i]
      reply[#reply + 1] = call('HGETALL', K.error .. list[i])
    end
    return reply
    `,
])

/** Live sessions. */
export const readSessions: Script<Record<string, never>> = script('read-sessions', [
  base,
  /* lua */ `
  local live, reply = call('ZRANGE', K.sessions, 0, -1, 'WITHSCORES'), {}
  for i = 1, #live, 2 do
    local facts = call('HMGET', K.session .. live[i], 'id', 'server', 'ttl', 'info', 'opened')
    if facts[1] then
      facts[6] = string.format('%.0f', tonumber(live[i + 1]) - tonumber(facts[3]) / 2)
      local all, n = call('HGETALL', K.held .. live[i]), 0
      for k = 1, #all, 2 do if sub(all[k], 1, 1) == '#' then n = n + tonumber(all[k + 1]) end end
      facts[7] = n
      reply[#reply + 1] = facts
    end
  end
  return reply
  `,
])
