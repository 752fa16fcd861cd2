import { sleep } from '../clock.ts'
import { QError } from '../errors.ts'
import { checkJobId, randomText } from '../jobs/job-id.ts'
import { persist } from '../storage-calls/persist.ts'
import { cleanText, encodeState } from '../states/encode-state.ts'
import { elect } from '../states/elect.ts'
import { transitionTo } from '../states/define-state.ts'
import type { State } from '../states/state.ts'
import type { JobId, Phase } from '../storage/job.ts'
import type { ApplyOutcome, Transition } from '../storage/jobs.ts'
import type { JobView } from '../storage/monitor.ts'
import { decodeMeta } from '../jobs/meta.ts'
import { effectsOf } from './build-job.ts'
import type { ClientCore } from './client-core.ts'

export interface CommandOptions {
  /** Only from these states or phases; anything else is answered with `applied: false`. */
  readonly from?: string | readonly string[] | undefined
  /** Stands in the job's history. */
  readonly reason?: string | undefined
  /** Who wants it; stands in the job's history. */
  readonly by?: string | undefined
}

export type CommandResult =
  | { readonly applied: true }
  | {
      readonly applied: false
      /** `state`: it is in another state than expected. `duplicate`: another job holds its unique key. */
      readonly reason: 'missing' | 'state' | 'duplicate'
      readonly state?: string | undefined
      readonly holder?: JobId | undefined
    }

/** What a command wants of every job it is given. */
export interface Command {
  readonly to: State
  readonly from: Transition['from']
  readonly force?: boolean | undefined
  readonly grace?: number | undefined
  readonly attempt?: 'reset' | undefined
  readonly by?: string | undefined
}

const phaseOfState: Readonly<Record<string, Phase>> = {
  enqueued: 'ready',
  scheduled: 'scheduled',
  awaiting: 'awaiting',
  processing: 'active',
  succeeded: 'succeeded',
  failed: 'failed',
  deleted: 'deleted',
}

/** The phases and states a caller expects, as a storage compares them. */
export function expectedFrom(from: CommandOptions['from'], allowed: readonly Phase[]): NonNullable<Transition['from']> {
  if (from === undefined) return allowed
  const names = typeof from === 'string' ? [from] : from
  return names.flatMap((name) => {
    const phase = phaseOfState[name]
    if (phase === undefined) return { state: name }
    return name === 'enqueued' ? (['ready', 'parked'] as const) : phase
  })
}

/** Elects and sends one command for several jobs; outcomes in order. Filters see each job, so it is read first. */
export async function sendCommand(
  core: ClientCore,
  ids: readonly JobId[],
  command: Command,
): Promise<readonly ApplyOutcome[]> {
  for (const id of ids) checkJobId(id)
  const commandId = randomText(core.clock, 16)
  const set = core.filterSets(null)
  // Filters are asked about jobs, so the jobs are read; without filters a command is a single call.
  const views = core.hasStateFilters() ? await core.storage.monitor.get(ids) : null
  const changes: Transition[] = []
  for (const [index, id] of ids.entries())
    changes.push(await commandFor(core, id, commandId, command, views?.[index] ?? null, set))
  return applyUntilAnswered(core, changes)
}

async function commandFor(
  core: ClientCore,
  id: JobId,
  commandId: string,
  command: Command,
  view: JobView | null,
  unknown: ReturnType<ClientCore['filterSets']>,
): Promise<Transition> {
  const definition = view === null ? null : core.definitionOf(view.name)
  const set = definition === null ? unknown : core.filterSets(definition)
  const facts = {
    id,
    name: view?.name ?? '',
    queue: view?.queue ?? '',
    tags: view?.tags ?? [],
    definition,
    input: view === null ? undefined : core.tryDecode(view.payload),
  }
  const meta = view === null ? {} : decodeMeta(view.params, core.wire)
  const { state, via } = await elect(set.elect, {
    job: facts,
    meta,
    candidate: command.to,
    from: view?.state.phase ?? null,
    attempt: 0,
    crashes: view?.crashes ?? 0,
    rejected: false,
    random: () => core.clock.random(),
  })
  const applied = { job: facts, meta, state, attempt: view?.attempt ?? 0 }
  const encode = (one: State): ReturnType<typeof encodeState> =>
    encodeState(one, facts.name, core.wire, () => undefined)
  return {
    id,
    command: commandId,
    from: command.from,
    to: encode(state),
    via: via.length > 0 ? via.map(encode) : undefined,
    ...transitionTo(state),
    force: command.force,
    grace: command.grace,
    attempt: command.attempt,
    by: command.by === undefined ? core.by : cleanText(command.by),
    create: effects([
      ...effectsOf(core, set.unapplied, applied, 'stateUnapplied'),
      ...effectsOf(core, set.applied, applied),
    ]),
  }
}

function effects(jobs: Transition['create']): Transition['create'] {
  return jobs !== undefined && jobs.length > 0 ? jobs : undefined
}

const busyWaitMs = 25

/** Repeats after an unclear answer (the command's own id makes that harmless) and while a follow-up's key is locked. */
export async function applyUntilAnswered(
  core: ClientCore,
  changes: readonly Transition[],
): Promise<readonly ApplyOutcome[]> {
  const outcomes: ApplyOutcome[] = []
  const { maxBatch } = core.storage.capabilities
  for (let from = 0; from < changes.length; from += maxBatch) {
    const chunk = changes.slice(from, from + maxBatch)
    let { value } = await persist(core.clock, core.deadlineMs, () => core.storage.jobs.apply(chunk))
    const endsAt = core.clock.monotonic() + core.deadlineMs
    while (value.some(({ ok }) => ok === 'busy') && core.clock.monotonic() < endsAt) {
      await sleep(core.clock, busyWaitMs)
      const busy = chunk.filter((_change, index) => value[index]!.ok === 'busy')
      const again = (await persist(core.clock, core.deadlineMs, () => core.storage.jobs.apply(busy))).value.values()
      value = value.map((outcome) => (outcome.ok === 'busy' ? again.next().value! : outcome))
    }
    outcomes.push(...value)
  }
  return outcomes
}

/** The answer to one command, as callers see it. */
export function commandResult(id: JobId, outcome: ApplyOutcome): CommandResult {
  switch (outcome.ok) {
    case 'applied':
    case 'already':
    case 'signalled':
      return { applied: true }
    case 'missing':
      return { applied: false, reason: 'missing' }
    case 'refused':
      return { applied: false, reason: 'state', state: outcome.state }
    case 'duplicate':
      return { applied: false, reason: 'duplicate', holder: outcome.holder }
    case 'stale':
      return { applied: false, reason: 'state' }
    case 'busy':
      throw new QError(
        'Q_STORAGE_UNAVAILABLE',
        `Job ${id} was not changed: a unique key it needs is locked by an open transaction. Try again when that has ended.`,
      )
    case 'invalid':
      throw new QError('Q_OPTION_INVALID', `Job ${id} was not changed: ${outcome.reason}.`)
  }
}
