import type { CommandResult } from '@q/core'
import { parseDuration } from '@q/core'
import type { Permission } from '../access/permission.ts'
import { Problem } from '../problem.ts'
import type { Visit } from '../visit.ts'
import type { Notice } from '../views/notice.ts'

export type JobAction = 'retry' | 'cancel' | 'delete' | 'reschedule'

export interface JobCommand {
  readonly action: JobAction
  readonly permission: Permission
  readonly summary: string
  run(visit: Visit, id: string, wish: Wish): Promise<Done>
}

/** What the caller says beside the job. */
export interface Wish {
  readonly reason?: string | undefined
  /** Only from this state; anything else is answered as a conflict. */
  readonly from?: string | undefined
  /** For reschedule: a duration from now, or an instant. */
  readonly in?: string | undefined
  readonly at?: string | undefined
}

export interface Done {
  readonly applied: boolean
  readonly notice: Notice
  readonly state?: string | undefined
}

/** In the history stands who did it, and why; without a name of their own, that it came from here. */
export function signature(
  visit: Visit,
  reason: string | undefined,
): { readonly by: string; readonly reason?: string | undefined } {
  return {
    by: visit.viewer.user ?? 'dashboard',
    reason: reason === undefined || reason.trim() === '' ? undefined : reason.slice(0, 500),
  }
}

export const jobCommands: readonly JobCommand[] = [
  {
    action: 'retry',
    permission: 'jobs.retry',
    summary: 'Puts a job back into its queue, its attempts starting over.',
    run: async (visit, id, { reason, from }) =>
      doneOf(await visit.site.client.requeue(id, { ...signature(visit, reason), from }), 'retried'),
  },
  {
    action: 'cancel',
    permission: 'jobs.cancel',
    summary: 'Ends a job that has not run; asks a running one to stop.',
    async run(visit, id, { reason }) {
      // The wish stands in storage; nobody waits here for a handler to notice.
      const { how } = await visit.site.client.cancel(id, { ...signature(visit, reason ?? 'cancelled'), timeout: 250 })
      if (how === 'missing') return { applied: false, notice: 'missing' }
      if (how === 'finished first') return { applied: false, notice: 'changed' }
      return { applied: true, notice: how === 'pending' ? 'cancelling' : 'cancelled' }
    },
  },
  {
    action: 'delete',
    permission: 'jobs.delete',
    summary: 'Ends a job whatever it is doing. It stays readable until its retention ends.',
    run: async (visit, id, { reason, from }) =>
      doneOf(await visit.site.client.delete(id, { ...signature(visit, reason), from }), 'deleted'),
  },
  {
    action: 'reschedule',
    permission: 'jobs.reschedule',
    summary: 'Gives a job that has not started another time.',
    async run(visit, id, wish) {
      const when = readWhen(wish)
      return doneOf(
        await visit.site.client.reschedule(id, { ...signature(visit, wish.reason), from: wish.from, ...when }),
        'rescheduled',
      )
    },
  },
]

export function jobCommand(action: JobAction): JobCommand {
  return jobCommands.find((command) => command.action === action)!
}

function doneOf(result: CommandResult, notice: Notice): Done {
  if (result.applied) return { applied: true, notice }
  const notices = { missing: 'missing', state: 'changed', duplicate: 'held' } as const
  return { applied: false, notice: notices[result.reason], state: result.state }
}

function readWhen({ in: wait, at }: Wish): { readonly in: number } | { readonly at: Date } {
  if (wait !== undefined && wait !== '') return { in: parseDuration(wait as '1s', 'in') }
  const instant = at === undefined ? Number.NaN : Date.parse(at)
  if (Number.isNaN(instant))
    throw new Problem(400, 'invalid', 'Say `in`, a duration such as 10m, or `at`, an ISO time.')
  return { at: new Date(instant) }
}
