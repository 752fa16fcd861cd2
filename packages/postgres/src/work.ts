import { type Signals, type WorkRoom, claimToken } from '@q/core/storage'
import { refuseLongList } from './capabilities.ts'
import { encodeChanges, learnChanges } from './change-list.ts'
import { type RawClaimed, decodeApplyOutcome, decodeClaimed } from './codec.ts'
import { idToUuid, uuidToId } from './id.ts'
import { type PacemakerOptions, createPacemaker } from './pacemaker.ts'
import { packPayload, storable } from './payload.ts'
import type { Room } from './room.ts'
import { type RawSignal, endSession, exchange, heartbeat, openSession, reconcile } from './statements/work.ts'
import { storeState } from './stored-state.ts'

export function createWorkRoom({ connections, names, pokes, enter }: Room): WorkRoom {
  async function recall(claimed: readonly RawClaimed[]): Promise<void> {
    await names.recall(
      claimed.map(([, queue]) => queue),
      claimed.map(([, , name]) => name),
    )
  }

  return {
    open: ({ id, server, ttl, info, replaces }) =>
      enter(async () => {
        const [row] = await connections.write(openSession, [
          storable(id),
          storable(server),
          ttl,
          packPayload(info),
          replaces === undefined ? null : storable(replaces),
        ])
        pokes.touch(row!.topics)
      }),

    exchange: (call) =>
      enter(async () => {
        refuseLongList('exchange', call.apply)
        const { session, claim, notes } = call
        const queues = claim?.queues ?? []
        // Without a turn of the queue of promises: behind it the handlers of the jobs that have just come would run first.
        const learning = learnChanges(
          names,
          call.apply,
          queues.map(({ name }) => name),
        )
        if (learning !== undefined) await learning
        const changes = encodeChanges(names, call.apply, session)
        const [row] = await connections.write(exchange, [
          storable(session),
          call.call,
          changes.plain.length === 0 ? null : JSON.stringify(changes.plain),
          changes.rows.length === 0 ? null : JSON.stringify(changes.rows),
          notes?.length ? JSON.stringify(notes.map(encodeNote)) : null,
          claim?.max ?? 0,
          claim?.extra ?? 0,
          claim === undefined ? null : queues.map(({ name }) => names.queue(name)),
          claim === undefined ? null : queues.map(({ max }) => max ?? null),
          claim?.adopt === undefined ? null : claim.adopt.map(storable),
          claim === undefined ? null : JSON.stringify(storeState(claim.state)),
        ])
        const { reply } = row!
        const claimed = reply.claimed ?? []
        await recall(claimed)
        pokes.touch(reply.topics)
        pokes.jobs(changes.plain.map(({ id }) => id))
        pokes.jobs(claimed.map(([id]) => id))
        return {
          applied: changes.outcomes(reply.slow, reply.done),
          noted: reply.noted ?? [],
          claimed: claimed.map((raw) => decodeClaimed(raw, session, call.call, names)),
          more: reply.more,
          nextDue: reply.next ?? undefined,
          adoptable: reply.adoptable,
          signals: decodeSignals(reply.cancel, reply.queues, session),
          names: reply.names,
          now: reply.now,
        }
      }),

    reconcile: (session, call, apply) =>
      enter(async () => {
        await learnChanges(names, apply)
        const changes = encodeChanges(names, apply)
        const [row] = await connections.write(reconcile, [storable(session), call, JSON.stringify(changes.rows)])
        const { reply } = row!
        await recall(reply.claimed)
        const answers = new Map(reply.applied.map((raw, k) => [changes.rows[k]!.i, raw] as const))
        return {
          applied: apply.map((_, i) => {
            const raw = answers.get(i)
            return raw === undefined || raw.ok === 'held' ? { ok: 'held' } : decodeApplyOutcome(raw, () => [])
          }),
          claimed: reply.claimed.map((raw) => decodeClaimed(raw, session, call, names)),
          now: reply.now,
        }
      }),

    heartbeat: (ids) =>
      enter(async () => {
        const [row] = await connections.write(heartbeat, [ids.map(storable)], 'pulse')
        return row!.reply.map(({ id, alive, cancel, queues }) => ({
          alive,
          signals: decodeSignals(cancel, queues, id),
        }))
      }),

    end: (id) =>
      enter(async () => {
        const [row] = await connections.write(endSession, [storable(id)])
        pokes.touch(row!.topics)
      }),

    pacemaker: (session, options: PacemakerOptions) => createPacemaker(connections, session, options),
  }
}

function encodeNote({
  id,
  token,
  progress,
  log,
}: {
  readonly id: string
  readonly token: string
  readonly progress?: string | Uint8Array | undefined
  readonly log?: { readonly from: number; readonly lines: readonly (string | Uint8Array)[] } | undefined
}): object {
  const dot = token.lastIndexOf('.')
  return {
    id: idToUuid(id),
    ts: storable(token.slice(0, dot)),
    tc: Number(token.slice(dot + 1)) || -1,
    progress: progress === undefined ? undefined : packPayload(progress),
    from: log?.from,
    lines: log?.lines.map(packPayload),
  }
}

function decodeSignals(cancel: readonly RawSignal[], queues: number, session: string): Signals {
  return {
    cancel: cancel.map(({ id, call, reason, grace, voided }) => ({
      id: uuidToId(id),
      token: claimToken(session, call),
      reason: reason ?? undefined,
      grace: grace ?? undefined,
      voided: voided ? true : undefined,
    })),
    queues,
  }
}
