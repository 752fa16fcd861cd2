import { moves } from './changing.ts'
import { alike } from './parts/alike.ts'
import { base } from './parts/base.ts'
import { books } from './parts/books.ts'
import { claim } from './parts/claim.ts'
import { compaction } from './parts/compaction.ts'
import { consider } from './parts/consider.ts'
import { create } from './parts/create.ts'
import { endPlain } from './parts/end-plain.ts'
import { notes } from './parts/notes.ts'
import { sessions } from './parts/sessions.ts'
import { steps } from './parts/steps.ts'
import { script } from './script.ts'
import { recordFlags } from '../codec/layout.ts'
import type { PackedClaim, PackedEnds, PackedNote, PackedTransition } from '../codec/packed.ts'
import type { Script } from './script.ts'

/**
 * The hot path: ends n jobs, creates what follows, takes m. Jobs that have nothing special about them go from bytes to
 * bytes; the ledger, which knows everything else, is opened when the first other one is met.
 */
export const exchange: Script<{
  session: string
  fp: string
  call: number
  apply: readonly (PackedTransition | PackedEnds | false)[]
  notes?: readonly PackedNote[] | undefined
  claim?: PackedClaim | undefined
  publish: string
}> = script(
  'exchange',
  [
    base,
    sessions,
    /* lua */ `
    local CALLER, CALL = A.fp, A.call
    local session = sessionOf(CALLER)
    if not session or session.id ~= A.session then return { err = 'QLOST' } end
    if CALL <= session.call then return { err = 'QCLOSED' } end
    local SERVER = session.server
    renew(CALLER, session.ttl)
    `,
    books,
    compaction,
    /* lua */ `
    local claimed, takenAs, busyOf, examined = {}, {}, nil, 0
    local nextDue

    local function sooner(at) if at and (not nextDue or at < nextDue) then nextDue = at end end

    -- packed: the new record, or the job of the ledger that becomes it.
    local function took(id, packed, busy)
      local k = #claimed + 1
      claimed[k], takenAs[k] = id, packed
      if busy then
        busyOf = busyOf or {}
        busyOf[tostring(k)] = busy
      end
    end

    local ledger
    local function openLedger()
      if ledger then return ledger end
    `,
    ...moves,
    create,
    steps,
    notes,
    consider,
    /* lua */ `
      ledger = {
        jobs = jobs, load = load, known = known, step = step, noteAll = noteAll, settle = settle, offer = offer,
        consider = consider, putBack = putBack, adopt = adopt,
        tokensOf = tokensOf, tokenAt = tokenAt, takeToken = takeToken,
      }
      return ledger
    end
    `,
    alike,
    /* lua */ `
    local noted = A.notes and openLedger().noteAll(A.notes) or {}
    local outcomes, more, adoptable = {}, false, false
    -- What ends, and what claims, is made only for a call that does: making functions is not free.
    if #A.apply == 0 then call('HSET', K.session .. CALLER, 'call', CALL)
    else
    `,
    endPlain,
    /* lua */ `
      local list, ids = A.apply, nil
      for i = 1, #list do
        local t = list[i]
        if not t then outcomes[#outcomes + 1] = 5
        elseif type(t[1]) == 'number' then endPlain(t, outcomes)
        else
          if not ids then
            ids = {}
            for k = i, #list do if list[k] and type(list[k][1]) == 'string' then ids[#ids + 1] = list[k][1] end end
            openLedger().load(ids)
          end
          local outcome = ledger.step(t)
          outcomes[#outcomes + 1] = outcome
          if t[2] and isDone(outcome) then receive(t[1], spack('>I5', t[3]), t[2]) end
        end
      end
      pushReady()
      writeReceipts()
    end
    if A.claim then
    `,
    claim,
    /* lua */ `
      more, adoptable = claimAll(A.claim, SERVER)
    end
    if ledger then ledger.settle() end
    pushReady()
    flush()

    local facts = call('HMGET', K.meta, 'names', 'config', 'logged3')
    mayCompact(3, facts[3], call('HGET', K.queues, '#3'), 16384, 384)
    local reply = {
      mpack({
        applied = outcomes, noted = noted, busy = busyOf, more = more, due = nextDue,
        adoptable = adoptable, signals = signalsOf(CALLER), names = tonumber(facts[1] or 0),
        queues = tonumber(facts[2] or 0), now = now,
      }),
      not ledger and heldText or table.concat(claimed),
    }
    local longs = {}
    for k = 1, #claimed do
      local packed = takenAs[k]
      if type(packed) == 'table' then packed = packed.packed end
      if band(byte(packed, 3), ${recordFlags.long}) ~= 0 then longs[#longs + 1] = call('GET', K.payload .. claimed[k]) or '' end
      reply[k + 2] = packed
    end
    for k = 1, #longs do reply[#reply + 1] = longs[k] end
    return reply
    `,
  ],
  { runsWhenFull: true },
)
