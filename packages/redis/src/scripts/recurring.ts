import { changing } from './changing.ts'
import { base } from './parts/base.ts'
import { create } from './parts/create.ts'
import { schedules } from './parts/schedules.ts'
import { script } from './script.ts'
import type { PackedJob } from '../codec/packed.ts'
import type { Packable } from '../msgpack.ts'
import type { Script } from './script.ts'

/** A record as it is stored. `definition` is what people said, in one canonical text, so that saying it again changes nothing. */
export type PackedRecord = { readonly [key: string]: Packable }

/** Puts records, each by compare-and-set. */
export const putRecurring: Script<{ list: readonly PackedRecord[]; publish: string }> = script('put-recurring', [
  base,
  schedules,
  /* lua */ `
  local answers = {}
  for i = 1, #A.list do
    local item = A.list[i]
    local present = recordOf(item.id)
    local version = present and present.version or 0
    local stale = (item.expect and item.expect ~= version)
      or (item.revision and present and present.revision and item.revision < present.revision)
    if stale then answers[i] = { false, version }
    elseif present and present.definition == item.definition then answers[i] = { true, version }
    else
      item.expect = nil
      item.lastAt = item.lastAt or (present and present.lastAt)
      item.lastJob = item.lastJob or (present and present.lastJob)
      answers[i] = { true, store(item) }
    end
  end
  tellSchedules()
  return mpack(answers)
  `,
])

/** Removes records, with the memory of their runs. */
export const removeRecurring: Script<{ list: readonly PackedRecord[]; publish: string }> = script(
  'remove-recurring',
  [
    base,
    schedules,
    /* lua */ `
    local answers = {}
    for i = 1, #A.list do
      local present = recordOf(A.list[i].id)
      if not present or (A.list[i].expect and A.list[i].expect ~= present.version) then answers[i] = 0
      else
        local id = A.list[i].id
        call('HDEL', K.recurring, id)
        call('ZREM', K.recurringIds, id)
        call('ZREM', K.recurringDue, id)
        call('UNLINK', K.runs .. id, K.runEnds .. id)
        call('HINCRBY', K.meta, 'changes', 1)
        changed = true
        answers[i] = 1
      end
    end
    tellSchedules()
    return answers
    `,
  ],
  { runsWhenFull: true },
)

/** Moves records on and creates the jobs of their occurrences, in one step. */
export const tickRecurring: Script<{
  list: readonly {
    readonly id: string
    readonly expect: number
    readonly nextAt: number | undefined
    readonly jobs: readonly (PackedJob | false)[]
    readonly last: { readonly id: string; readonly at: number | undefined } | undefined
    readonly skipWhile: string | undefined
  }[]
  publish: string
}> = script('tick-recurring', [
  ...changing,
  create,
  schedules,
  /* lua */ `
  local answers = {}
  for i = 1, #A.list do
    local item = A.list[i]
    local present = recordOf(item.id)
    if not present or present.version ~= item.expect then answers[i] = { false }
    else
      local running = item.skipWhile and get(item.skipWhile)
      local skipped = running and not has(running, STUB) and running.phase < SUCCEEDED
      present.nextAt = item.nextAt
      if item.last and not skipped then
        present.lastAt = item.last.at or present.lastAt
        present.lastJob = item.last.id
      end
      store(present)
      if skipped then answers[i] = { true, true }
      else
        answers[i] = { true, false, createAll(item.jobs) }
        settle()
      end
    end
  end
  pushReady()
  flush()
  tellSchedules()
  return mpack(answers)
  `,
])

/** Records whose time has come, oldest first, and when the next one comes. */
export const dueRecurring: Script<{ limit: number }> = script('due-recurring', [
  base,
  /* lua */ `
  local ids = call('ZRANGEBYSCORE', K.recurringDue, '-inf', now, 'LIMIT', 0, A.limit)
  local reply = { '' }
  if #ids > 0 then
    local found = call('HMGET', K.recurring, unpack(ids))
    for i = 1, #found do if found[i] then reply[#reply + 1] = found[i] end end
  end
  local rest = call('ZRANGEBYSCORE', K.recurringDue, '-inf', '+inf', 'WITHSCORES', 'LIMIT', #ids, 1)
  reply[1] = mpack({ now = now, due = rest[2] and tonumber(rest[2]) or nil })
  return reply
  `,
])

/** The last jobs of a record, newest first, with what is known of their ends. */
export const recurringRuns: Script<{ id: string; limit: number }> = script('recurring-runs', [
  base,
  /* lua */ `
  local runs = A.limit > 0 and call('ZREVRANGE', K.runs .. A.id, 0, A.limit - 1, 'WITHSCORES') or {}
  local reply = {}
  for i = 1, #runs, 2 do
    reply[#reply + 1] = runs[i]
    reply[#reply + 1] = runs[i + 1]
    reply[#reply + 1] = call('GET', K.job .. runs[i]) or ''
    reply[#reply + 1] = call('HGET', K.runEnds .. A.id, runs[i]) or ''
  end
  return reply
  `,
])
