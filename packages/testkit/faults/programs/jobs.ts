import { setTimeout as pause } from 'node:timers/promises'
import type { JobContext, JobDefinition } from '@q/core'
import { defineFilter, defineJob, fixed, jobIdFrom, reject } from '@q/core'
import type { Ledger } from '../evidence/ledger.ts'

export interface FleetJobs {
  readonly plain: JobDefinition<{ readonly ms: number }, unknown>
  readonly long: JobDefinition<{ readonly ms: number }, unknown>
  readonly flaky: JobDefinition<{ readonly failures: number }, unknown>
  readonly doomed: JobDefinition<void, unknown>
  readonly parent: JobDefinition<{ readonly ms: number }, unknown>
  readonly child: JobDefinition<void, unknown>
  readonly family: JobDefinition<void, unknown>
  readonly follower: JobDefinition<{ readonly parent: string }, unknown>
  readonly begetter: JobDefinition<void, unknown>
  readonly begotten: JobDefinition<{ readonly parent: string }, unknown>
  readonly tick: JobDefinition<void, unknown>
}

/** The jobs of the fleet. Their handlers write down what they do, and nothing but faults keeps them from their ends. */
export function fleetJobs(ledger: Ledger): FleetJobs {
  // However often a job loses its process, it has to succeed in the end.
  const lasting = { crashLimit: 10_000 } as const

  const run = async (ctx: JobContext<never>, ms: number): Promise<void> => {
    const { id, attempt } = ctx
    ledger.write({ k: 'start', id, attempt })
    await pause(ms / 2)
    ledger.write({ k: 'effect', id, attempt })
    await pause(ms / 2)
    ledger.write({ k: 'end', id, attempt })
  }

  /** Heeds its signal. */
  const runUntilAborted = async (ctx: JobContext<never>, ms: number): Promise<void> => {
    const { id, attempt, signal } = ctx
    ledger.write({ k: 'start', id, attempt })
    try {
      await pause(ms, undefined, { signal })
    } catch {
      ledger.write({ k: 'aborted', id, attempt, code: String((signal.reason as { code?: unknown }).code) })
      throw signal.reason
    }
    ledger.write({ k: 'end', id, attempt })
  }

  const follower = defineJob({
    name: 'fault.follower',
    ...lasting,
    run: (_input: { readonly parent: string }, ctx) => run(ctx as never, 0),
  })
  const begotten = defineJob({
    name: 'fault.begotten',
    ...lasting,
    run: (_input: { readonly parent: string }, ctx) => run(ctx as never, 0),
  })
  const followedBy = defineFilter({
    name: 'followed',
    stateApplied({ job, state, enqueue }) {
      if (state.name === 'succeeded') enqueue(follower, { parent: job.id })
    },
  })
  return {
    follower,
    begotten,
    plain: defineJob({
      name: 'fault.plain',
      ...lasting,
      run: ({ ms }: { readonly ms: number }, ctx) => run(ctx as never, ms),
    }),
    long: defineJob({
      name: 'fault.long',
      ...lasting,
      run: ({ ms }: { readonly ms: number }, ctx) => runUntilAborted(ctx as never, ms),
    }),
    flaky: defineJob({
      name: 'fault.flaky',
      ...lasting,
      retry: { attempts: 10_000, backoff: fixed(20) },
      async run({ failures }: { readonly failures: number }, ctx) {
        if (ctx.attempt > failures) return run(ctx as never, 5)
        ledger.write({ k: 'start', id: ctx.id, attempt: ctx.attempt })
        ledger.write({ k: 'threw', id: ctx.id, attempt: ctx.attempt })
        throw new Error(`failure ${ctx.attempt} of ${failures}`)
      },
    }),
    doomed: defineJob({
      name: 'fault.doomed',
      ...lasting,
      run(_input: void, ctx) {
        ledger.write({ k: 'start', id: ctx.id, attempt: ctx.attempt })
        ledger.write({ k: 'threw', id: ctx.id, attempt: ctx.attempt })
        return reject(new Error('doomed'))
      },
    }),
    parent: defineJob({
      name: 'fault.parent',
      ...lasting,
      run: ({ ms }: { readonly ms: number }, ctx) => run(ctx as never, ms),
    }),
    child: defineJob({ name: 'fault.child', ...lasting, run: (_input: void, ctx) => run(ctx as never, 0) }),
    family: defineJob({
      name: 'fault.family',
      ...lasting,
      filters: [followedBy],
      run: (_input: void, ctx) => run(ctx as never, 10),
    }),
    begetter: defineJob({
      name: 'fault.begetter',
      ...lasting,
      retry: { attempts: 10_000, backoff: fixed(50) },
      async run(_input: void, ctx) {
        const { id, attempt, client } = ctx
        ledger.write({ k: 'start', id, attempt })
        try {
          await client.enqueue(begotten, { parent: id }, { id: jobIdFrom(`begotten:${id}`) })
        } catch (error) {
          ledger.write({ k: 'threw', id, attempt })
          throw error
        }
        ledger.write({ k: 'end', id, attempt })
      },
    }),
    tick: defineJob({ name: 'fault.tick', ...lasting, run: (_input: void, ctx) => run(ctx as never, 0) }),
  }
}
