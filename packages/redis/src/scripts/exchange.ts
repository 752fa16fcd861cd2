import { changing } from './changing.ts'
import { claim } from './parts/claim.ts'
import { create } from './parts/create.ts'
import { removal } from './parts/removal.ts'
import { sessions } from './parts/sessions.ts'
import { steps } from './parts/steps.ts'
import { script } from './script.ts'
import type { PackedClaim, PackedNote, PackedTransition } from '../codec.ts'
import type { Script } from './script.ts'

/**
 * The hot path: ends n jobs, creates what follows, takes m.
 */
export const exchange: Script<{
  session: string
  fp: string
  call: number
  apply: readonly (PackedTransition | false)[]
  notes?: readonly PackedNote[] | undefined
  claim?: PackedClaim | undefined
  publish: string
}> = script(
  'exchange',
  [
    ...changing,
    create,
    sessions,
    removal,
    /* lua */ `
    local CALLER, CALL = A.fp, A.call
    local session = sessionOf(CALLER)
    if not session or session.id ~= A.session then return { err = 'QLOST' } end
    if CALL <= session.call then return { err = 'QCLOSED' } end
    local SERVER = session.server
    renew(CALLER, session.ttl)
    `,
    steps,
    claim,
    /* lua */ `
    local noted = {}
    for i = 1, #(A.notes or {}) do
      local note = A.notes[i]
      local j = get(note.id)
      if not j or j.phase ~= ACTIVE or j.fp ~= note.fp or j.call ~= note.call then noted[i] = false
      else
        noted[i] = true
        touch(j)
        set(j, NOTED)
        if note.progress then call('SET', K.progress .. j.id, note.progress) end
        if note.lines then
          local last = call('LINDEX', K.log .. j.id, -1)
          last = last and munpack(last) or { 0, 0, 0, '', 0 }
          local had = last[4] == note.fp .. ':' .. note.call and last[5] or 0
          local n = last[1]
          for k = 1, #note.lines do
            local own = note.from + k - 1
            if own > had then
              n = n + 1
              call('RPUSH', K.log .. j.id, mpack({ n, now, j.attempt, note.fp .. ':' .. note.call, own, note.lines[k] }))
            end
          end
          call('LTRIM', K.log .. j.id, -1000, -1)
        end
      end
    end

    local outcomes = stepAll(A.apply)
    noteNewNames()
    pushReady()
    local done = {}
    for i = 1, #outcomes do
      local t, outcome = A.apply[i], outcomes[i]
      if t and t[2] and (outcome == 0 or (type(outcome) == 'table' and outcome[1] == 'a')) then
        done[#done + 1] = t[1] .. spack('>I5', t[3])
      end
    end
    if #done > 0 then
      call('HSET', K.session .. CALLER, 'call', CALL, 'done', table.concat(done), 'doneCall', CALL)
    else call('HSET', K.session .. CALLER, 'call', CALL) end

    local more, adoptable = false, false
    if A.claim then more, adoptable = claimAll(A.claim, SERVER) end
    settle()
    pushReady()
    flush()

    local facts = call('HMGET', K.meta, 'names', 'config', 'logged3')
    mayCompact(READY, facts[3], call('HGET', K.queues, '#3'), 4096, 384)
    local busy
    local reply = { '' }
    local longs = {}
    for i = 1, #claimed do
      local j = claimed[i][1]
      if claimed[i][2] then busy = busy or {}; busy[tostring(i)] = claimed[i][2] end
      reply[#reply + 1] = j.packed
      reply[#reply + 1] = has(j, LONG) and call('GET', K.payload .. j.id) or ''
    end
    local ids = {}
    for i = 1, #claimed do ids[i] = claimed[i][1].id end
    reply[1] = mpack({
      applied = outcomes, noted = noted, ids = table.concat(ids), busy = busy, more = more, due = nextDue,
      adoptable = adoptable, signals = signalsOf(CALLER), names = tonumber(facts[1] or 0),
      queues = tonumber(facts[2] or 0), now = now,
    })
    return reply
    `,
  ],
  { runsWhenFull: true },
)
