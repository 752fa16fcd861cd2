import { QError } from '../errors.ts'
import { checkName } from '../jobs/name.ts'
import { awaitingState } from './awaiting.ts'
import { deletedState } from './deleted.ts'
import { enqueuedState } from './enqueued.ts'
import { failedState } from './failed.ts'
import { processingState } from './processing.ts'
import { scheduledState } from './scheduled.ts'
import { succeededState } from './succeeded.ts'
import type { Transition } from '../storage/jobs.ts'
import type { AnyState, StateDefinition } from './state.ts'

const builtIn = [
  enqueuedState,
  scheduledState,
  awaitingState,
  processingState,
  succeededState,
  failedState,
  deletedState,
]
const definitions = new Map<string, StateDefinition>(builtIn.map((state) => [state.name, state as StateDefinition]))

/**
 * Adds a state of your own, in one of the phases a storage knows. Filters may then elect it, lists and history show it.
 *
 * @example
 * export const needsApproval = defineState({ name: 'needs-approval', phase: 'parked' })
 * defineFilter({ name: 'approve', electState: (ctx) => ctx.candidate.name === 'failed' ? { name: 'needs-approval' } : undefined })
 */
export function defineState<const Name extends string>(definition: StateDefinition<Name>): StateDefinition<Name> {
  checkName('state name', definition.name)
  if (builtIn.some((state) => state.name === definition.name)) {
    throw new QError(
      'Q_NAME_INVALID',
      `The state "${definition.name}" belongs to the framework. Give yours another name.`,
    )
  }
  if (definition.phase === 'active' || definition.phase === 'awaiting') {
    throw new QError(
      'Q_OPTION_INVALID',
      `The state "${definition.name}" cannot be in phase "${definition.phase}": only a claim makes a job active, and only its creation lets it await. Choose ready, scheduled, parked, succeeded, failed or deleted.`,
    )
  }
  const frozen = Object.freeze({ ...definition })
  definitions.set(definition.name, frozen as unknown as StateDefinition)
  return frozen
}

/** What a storage must know to put a job into this state, beside the state itself. */
export function transitionTo(state: AnyState): Pick<Transition, 'at' | 'delay' | 'parkedFor'> {
  const { name, phase, toTransition } = definitionOf(state)
  // Parked by choice: it waits for a command, and no server's 'name@version' looks like this.
  if (phase === 'parked') return { ...toTransition?.(state as never), parkedFor: `(${name})` }
  return toTransition?.(state as never) ?? nothingElse
}

const nothingElse: Pick<Transition, 'at' | 'delay' | 'parkedFor'> = Object.freeze({})

/** What a state means; a name nobody defined is refused before anything is stored. */
export function definitionOf(state: AnyState): StateDefinition {
  const definition = definitions.get(state.name)
  if (definition !== undefined) return definition
  throw new QError(
    'Q_OPTION_INVALID',
    `No state is called "${state.name}". Define it with defineState() before a filter elects it.`,
  )
}
