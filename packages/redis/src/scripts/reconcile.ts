import { base } from './parts/base.ts'
import { books } from './parts/books.ts'
import { entered } from './parts/entered.ts'
import { ledger } from './parts/ledger.ts'
import { record } from './parts/record.ts'
import { sessions } from './parts/sessions.ts'
import { script } from './script.ts'
import type { Packable } from '../msgpack.ts'
import type { Script } from './script.ts'

export interface AskedStep {
  readonly [key: string]: Packable
  readonly id: string
  readonly fp: string | false
  readonly call: number
  readonly command: string | false
}

/**
 * Closes a call, then tells what became of it. What a claim ended is known twice: by the job's record while nobody has
 * claimed it again, and by the session's lists of what its last two calls ended.
 */
export const reconcile: Script<{ session: string; fp: string; call: number; steps: readonly AskedStep[] }> = script(
  'reconcile',
  [
    base,
    books,
    record,
    entered,
    ledger,
    sessions,
    /* lua */ `
    local CALLER, CALL = A.fp, A.call
    local session = sessionOf(CALLER)
    if not session or session.id ~= A.session then return { err = 'QLOST' } end
    renew(CALLER, session.ttl)
    if CALL > session.call then call('HSET', K.session .. CALLER, 'call', CALL) end
    local turn = CALL % 2
    local facts = call('HMGET', K.session .. CALLER, 'doneCall' .. turn, 'done' .. turn)
    local ended = {}
    if facts[1] and tonumber(facts[1]) == CALL then
      for p = 1, #facts[2], 39 do ended[sub(facts[2], p, p + 38)] = true end
    end
    local ids = {}
    for i = 1, #A.steps do ids[i] = A.steps[i].id end
    load(ids)
    local outcomes = {}
    for i = 1, #A.steps do
      local s = A.steps[i]
      local j = get(s.id)
      local outcome = 2
      if not j then outcome = 3
      elseif not s.fp then
        outcome = 6
        for _, command in ipairs(X(j).commands or {}) do if command == s.command then outcome = 1 end end
      elseif j.phase == ACTIVE and j.fp == s.fp and j.call == s.call then outcome = 6
      elseif ended[s.id .. spack('>I5', s.call) .. s.fp] then outcome = 1
      elseif j.claimed and j.fp == s.fp and j.call == s.call and j.cfp == CALLER and j.ccall == CALL then outcome = 1 end
      outcomes[i] = outcome
    end
    local held = call('ZRANGE', K.held .. CALLER, 0, -1)
    load(held)
    local reply, longs, found, busy = { '' }, {}, {}, nil
    for i = 1, #held do
      local j = get(held[i])
      if j and j.phase == ACTIVE and j.fp == CALLER and j.call == CALL then
        found[#found + 1] = j.id
        if (j.xs ~= '' or j.x) and X(j).busy then
          busy = busy or {}
          busy[tostring(#found)] = { X(j).busy }
        end
        reply[#reply + 1] = pack(j)
        if has(j, LONG) then longs[#longs + 1] = call('GET', K.payload .. j.id) or '' end
      end
    end
    reply[1] = mpack({ applied = outcomes, ids = table.concat(found), busy = busy, now = now })
    for i = 1, #longs do reply[#reply + 1] = longs[i] end
    return reply
    `,
  ],
  { runsWhenFull: true },
)
