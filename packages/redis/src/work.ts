import { claimToken } from '@q/core/storage'
import { listOf, mapOf, numberOf, textOf } from './codec/answer.ts'
import { fingerprintOf, idLength } from './codec/layout.ts'
import { noClaim, packClaim, packNote, tokenOf } from './codec/packed.ts'
import { claimedJobOf, readRecord } from './codec/record.ts'
import { kinded } from './codec/state.ts'
import { applyOutcomeOf, prepareTransitions, refuseLongList } from './jobs.ts'
import { unpack } from './msgpack.ts'
import { exchange } from './scripts/exchange.ts'
import { reconcile } from './scripts/reconcile.ts'
import { end, heartbeat, open } from './scripts/sessions.ts'
import type { ApplyOutcome, ClaimedJob, Reconciled, SessionId, Signals, WorkRoom } from '@q/core/storage'
import type { Database } from './database.ts'
import type { Unpacked } from './msgpack.ts'

export function createWork(db: Database): WorkRoom {
  return {
    async open(session) {
      await db.run(open, {
        session: session.id,
        fp: fingerprintOf(session.id),
        server: session.server,
        ttl: session.ttl,
        info: kinded(session.info),
        replaces: session.replaces === undefined ? undefined : fingerprintOf(session.replaces),
        publish: db.publishCommand(),
      })
    },

    async exchange(call) {
      refuseLongList(db, 'exchange', call.apply.length)
      const prepared = prepareTransitions(db, call.apply, call.session)
      const answer = await db.run(exchange, {
        session: call.session,
        fp: fingerprintOf(call.session),
        call: call.call,
        apply: prepared.packed,
        notes: call.notes?.length ? call.notes.map(packNote) : undefined,
        claim: call.claim && packClaim(call.claim),
        publish: db.publishCommand(),
      })
      const [head, ids, ...records] = answer as [Buffer, Buffer, ...Buffer[]]
      const facts = mapOf(unpack(head))
      const nextDue = numberOf(facts.get('due'))
      return {
        applied: prepared.outcomes(facts.get('applied')!),
        noted: listOf(facts.get('noted')).map((noted) => noted === true),
        claimed: claimedJobsOf(facts, ids, records, call.session, call.call),
        more: facts.get('more') === true,
        ...(nextDue === undefined ? {} : { nextDue }),
        adoptable: facts.get('adoptable') === true,
        signals: signalsOf(facts.get('signals'), facts.get('queues'), call.session),
        names: numberOf(facts.get('names'))!,
        now: numberOf(facts.get('now'))!,
      }
    },

    async reconcile(session, call, apply): Promise<Reconciled> {
      const answer = await db.run(reconcile, {
        session,
        fp: fingerprintOf(session),
        call,
        steps: apply.map((change) => {
          const token = change.token === undefined ? null : tokenOf(change.token)
          return {
            id: change.id,
            fp: change.token === undefined ? false : (token?.fp ?? noClaim),
            call: token?.call ?? 0,
            command: change.command ?? false,
          }
        }),
      })
      const [head, ids, ...records] = answer as [Buffer, Buffer, ...Buffer[]]
      const facts = mapOf(unpack(head))
      return {
        applied: listOf(facts.get('applied')).map(reconciledOf),
        claimed: claimedJobsOf(facts, ids, records, session, call),
        now: numberOf(facts.get('now'))!,
      }
    },

    async heartbeat(ids) {
      const answer = await db.pulse(heartbeat, { sessions: ids.map((id) => ({ id, fp: fingerprintOf(id) })) })
      const facts = mapOf(unpack(answer as Buffer))
      return listOf(facts.get('answers')).map((item, index) => {
        const beat = mapOf(item)
        return {
          alive: beat.get('alive') === true,
          signals: signalsOf(beat.get('signals'), facts.get('queues'), ids[index]!),
        }
      })
    },

    async end(id) {
      await db.run(end, { session: id, fp: fingerprintOf(id), publish: db.publishCommand() })
    },
  }
}

/** Ids stand together; records follow, then the payloads that are too long to stand in theirs. */
function claimedJobsOf(
  facts: ReadonlyMap<string, Unpacked>,
  idBytes: Buffer,
  records: readonly Buffer[],
  session: SessionId,
  call: number,
): ClaimedJob[] {
  const ids = idBytes.toString('latin1')
  const busy = mapOf(facts.get('busy'))
  const token = claimToken(session, call)
  const jobs: ClaimedJob[] = []
  let nextLong = ids.length / idLength
  for (let i = 0; i * idLength < ids.length; i++) {
    const record = readRecord(ids.slice(i * idLength, (i + 1) * idLength), records[i]!)
    const payload = record.isLong ? records[nextLong++]! : record.payload
    jobs.push(claimedJobOf(record, payload, token, busy.size === 0 ? undefined : busy.get(String(i + 1))))
  }
  return jobs
}

function reconciledOf(answer: Unpacked): ApplyOutcome | { readonly ok: 'held' } {
  if (answer === 6) return { ok: 'held' }
  return applyOutcomeOf(answer, null, () => [])
}

function signalsOf(list: Unpacked | undefined, queues: Unpacked | undefined, session: SessionId): Signals {
  return {
    cancel: listOf(list).map((item) => {
      const signal = mapOf(item)
      const reason = signal.get('reason')
      const grace = numberOf(signal.get('grace'))
      return {
        id: textOf(signal.get('id')),
        token: `${session}.${numberOf(signal.get('call'))!}`,
        ...(reason === undefined ? {} : { reason: textOf(reason) }),
        ...(grace === undefined ? {} : { grace }),
        ...(signal.get('voided') === true ? { voided: true } : {}),
      }
    }),
    queues: numberOf(queues)!,
  }
}
