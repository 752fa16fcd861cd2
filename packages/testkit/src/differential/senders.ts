import type { Exchange } from '@q/core/storage'
import type { Outcome, Pair, Step } from './pair.ts'
import type { Sender } from './steps.ts'
import { exchangeStep, learn, reconcileStep } from './steps.ts'
import type { World, WorldSession } from './world.ts'

/** Every call arrives, and so does its answer. */
export const straight: Sender = {
  repeatable: (pair, _world, step) => pair.run(step),
  async exchange(pair, _world, session, call) {
    settle(session, call, await pair.run(exchangeStep(call)))
  },
}

/**
 * Requests and replies get lost, or come late, as the random numbers say, and the client does what the contract tells
 * it to. Both sides meet the same fate, so after each repetition they must agree as if nothing had happened.
 */
export const faulty: Sender = {
  async repeatable<T>(pair: Pair, world: World, step: Step<T>): Promise<Outcome<T>> {
    // A lost reply: it was done, and the repeat is told so. A lost request leaves no trace at all.
    if (world.random.chance(0.3)) await pair.run(step)
    return pair.run(step)
  },
  async exchange(pair, world, session, call) {
    const fate = world.random.weighted([
      [6, 'arrives'],
      [2, 'reply lost'],
      [1, 'request lost'],
      [1, 'request late'],
    ] as const)
    const send = exchangeStep(call)
    if (fate === 'arrives') return settle(session, call, await pair.run(send))
    if (fate === 'reply lost') await pair.run(send)
    const told = await pair.run(reconcileStep(session, call.call, call.apply))
    if (world.random.chance(0.3)) await pair.run(reconcileStep(session, call.call, call.apply))
    if (fate === 'request late') await pair.run({ ...send, says: () => `late: ${send.says()}` })
    if (!('value' in told)) return settle(session, call, told)
    const held = new Set(call.apply.filter((_, index) => told.value.applied[index]!.ok === 'held'))
    learn(
      session,
      call.apply.filter((one) => !held.has(one)),
      told.value,
    )
    if (held.size === 0) return
    const again: Exchange = { session: session.id, call: ++session.call, apply: [...held] }
    settle(session, again, await pair.run(exchangeStep(again)))
  },
}

function settle(
  session: WorldSession,
  call: Exchange,
  outcome: Outcome<{ claimed: Parameters<typeof learn>[2]['claimed'] }>,
): void {
  if ('value' in outcome) learn(session, call.apply, outcome.value)
  else if (outcome.code === 'Q_SESSION_LOST') session.alive = false
}
