import { base } from './parts/base.ts'
import { books } from './parts/books.ts'
import { entered } from './parts/entered.ts'
import { held } from './parts/held.ts'
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
    held,
    sessions,
    /* lua */ `
    local CALLER, CALL = A.fp, A.call
    local session = sessionOf(CALLER)
    if not session or session.id ~= A.session then return { err = 'QLOST' } end
    renew(CALLER, session.ttl)
    if CALL > session.call then call('HSET', K.session .. CALLER, 'call', CALL) end
    local turn = CALL % 2
    local facts = call('HMGET', K.session .. CALLER, 'doneCall' .. turn, 'doneIds' .. turn, 'doneCalls' .. turn, 'done' .. turn)
    local ended = {}
    if facts[1] and tonumber(facts[1]) == CALL then
      for k = 1, #facts[3] / 5 do ended[sub(facts[2], 26 * k - 25, 26 * k) .. sub(facts[3], 5 * k - 4, 5 * k) .. CALLER] = true end
      for p = 1, #facts[4], 39 do ended[sub(facts[4], p, p + 38)] = true end
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
    local reply, longs, found, busy, claims = { '', '' }, {}, {}, nil, claimsOf(CALLER)
    for i = 1, #claims do
      local list = claims[i].call == CALL and heldSince(claims[i]) or {}
      for k = 1, #list do
        local j = list[k]
        found[#found + 1] = j.id
        if (j.xs ~= '' or j.x) and X(j).busy then
          busy = busy or {}
          busy[tostring(#found)] = { X(j).busy }
        end
        reply[#reply + 1] = pack(j)
        if has(j, LONG) then longs[#longs + 1] = call('GET', K.payload .. j.id) or '' end
      end
    end
    reply[1] = mpack({ applied = outcomes, busy = busy, now = now })
    reply[2] = table.concat(found)
    for i = 1, #longs do reply[#reply + 1] = longs[i] end
    return reply
    `,
  ],
  { runsWhenFull: true },
)
