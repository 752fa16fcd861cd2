import { type ApplyOutcome, type Transition, whyInvalidTransition } from '@q/core/storage'
import { maxPayload } from './capabilities.ts'
import {
  type ChangeRow,
  type PlainRow,
  type RawOutcome,
  decodeApplyOutcome,
  encodeChange,
  encodePlain,
} from './codec.ts'
import { type CreateList, encodeCreateList, learnNames } from './create-list.ts'
import type { Names } from './names.ts'

/** A list of transitions as the functions take it, and how to read their answer. */
export interface ChangeList {
  /** Runs that simply succeeded. */
  readonly plain: readonly PlainRow[]
  readonly rows: readonly ChangeRow[]
  outcomes(raw: readonly RawOutcome[], done?: readonly number[] | null): ApplyOutcome[]
}

/** Learns what a list of transitions names, and these queues. */
export function learnChanges(
  names: Names,
  list: readonly Transition[],
  queues: readonly string[] = [],
): Promise<void> | undefined {
  const moved = list.flatMap((change) =>
    change.queue === undefined || whyInvalidTransition(change, maxPayload) ? [] : [change.queue],
  )
  const followUps = list.flatMap((change) => change.create ?? [])
  return learnNames(names, followUps, [...queues, ...moved])
}

/** What it names must have been learned. `session`: whose runs may travel in their short form. */
export function encodeChanges(names: Names, list: readonly Transition[], session?: string): ChangeList {
  const known = new Map<number, ApplyOutcome>()
  const created = new Map<number, CreateList>()
  const plain: PlainRow[] = []
  const rows: ChangeRow[] = []
  const seen = new Set<string>()
  for (const [i, change] of list.entries()) {
    const reason = whyInvalidTransition(change, maxPayload)
    if (reason !== null) {
      known.set(i, { ok: 'invalid', reason })
      continue
    }
    // Two of one job must be told in their order.
    const short = session === undefined || seen.has(change.id) ? null : encodePlain(change, i, session)
    seen.add(change.id)
    if (short !== null) {
      plain.push(short)
      continue
    }
    const follow = change.create === undefined ? undefined : encodeCreateList(change.create, names)
    if (follow !== undefined) created.set(i, follow)
    rows.push(encodeChange(change, i, names, follow?.plain ?? [], follow?.slow ?? []))
  }
  return {
    plain,
    rows,
    outcomes(raw, done) {
      const outcomes: (ApplyOutcome | undefined)[] = list.map((_, i) => known.get(i))
      for (const i of done ?? []) outcomes[i] = { ok: 'applied', released: 0 }
      for (const one of raw) {
        outcomes[one.i] = decodeApplyOutcome(one, (reply) => created.get(one.i)?.outcomes(reply) ?? [])
      }
      return outcomes.map((outcome, i) => outcome ?? unanswered(i))
    },
  }
}

function unanswered(i: number): never {
  throw new TypeError(`PostgreSQL did not answer transition ${i}`)
}
