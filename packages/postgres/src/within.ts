import { type CreateOutcome, type NewJob, QError } from '@q/core/storage'
import { CompiledQuery } from 'kysely'
import { refuseLongList } from './capabilities.ts'
import type { CreateReply } from './codec.ts'
import type { Queryable } from './connection.ts'
import { encodeCreateList, jsonOf, learnNames } from './create-list.ts'
import { isPassing, sqlState, storageError } from './errors.ts'
import { queueTopic } from './pokes.ts'
import type { Room } from './room.ts'
import { createJobs } from './statements/jobs.ts'

/** A transaction of the caller: a `pg` client that has begun one, a Kysely transaction, or whatever runs a query in one. */
export type PostgresTransaction = Queryable | KyselyTransaction

/** What of a Kysely `Transaction` is needed, whatever its tables. */
export interface KyselyTransaction {
  readonly isTransaction: true
  executeQuery<Row>(query: CompiledQuery<Row>): Promise<{ readonly rows: Row[] }>
}

/** Lock waits of the caller's transaction are ours to bound only while our statement runs. */
export function createWithin(
  { connections, names, pokes, enter }: Room,
  tx: PostgresTransaction,
): { create(jobs: readonly NewJob[]): Promise<CreateOutcome[]> } {
  const run = runnerOf(tx)
  return {
    create: (jobs) =>
      enter(async () => {
        refuseLongList('create', jobs)
        await learnNames(names, jobs)
        const list = encodeCreateList(jobs, names, whyNotWithin)
        if (list.plain.length === 0 && list.slow.length === 0) return list.outcomes({ plain: null, slow: null })
        await run('savepoint q_within')
        try {
          const [locks] = await run<{ before: string }>(
            "select current_setting('lock_timeout') as before, set_config('lock_timeout', '1000', true)",
          )
          const lists = [jsonOf(list.plain), jsonOf(list.slow)]
          const [reply] = await run<CreateReply>(createJobs.text(connections.schema), [...lists, true])
          const outcomes = list.outcomes(reply!)
          const queues = new Set(
            jobs.filter((_, i) => outcomes[i]!.ok === 'created').map((job) => names.queue(job.queue)),
          )
          // Here and only here a notification is part of a transaction: nobody else knows when it commits.
          await run(
            `select ${connections.schema}.poke_v1($1, 'tx', $2::text[]), set_config('lock_timeout', $3, true)`,
            [pokes.channel, [...queues].map(queueTopic), locks!.before],
          )
          await run('release savepoint q_within')
          return outcomes
        } catch (error) {
          await run('rollback to savepoint q_within').catch(() => undefined)
          if (sqlState(error) === '55P03' || isPassing(error)) {
            throw new QError(
              'Q_STORAGE_UNAVAILABLE',
              'Another open transaction holds what these jobs need (a unique key), so none of them was created. Your transaction goes on; try again.',
              { cause: error },
            )
          }
          throw storageError(error, true)
        }
      }),
  }
}

/** It would end a job that others may be waiting to claim, and keep it locked as long as the caller likes. */
function whyNotWithin(job: NewJob): string | null {
  return job.unique?.conflict === 'replace' ? 'a unique job cannot replace another one inside a transaction' : null
}

type Run = <Row>(text: string, values?: readonly unknown[]) => Promise<readonly Row[]>

function runnerOf(tx: PostgresTransaction): Run {
  if ('executeQuery' in tx) {
    return async <Row>(text: string, values: readonly unknown[] = []) =>
      (await tx.executeQuery<Row>(CompiledQuery.raw(text, [...values]))).rows
  }
  if (typeof tx.query !== 'function') {
    throw new QError(
      'Q_OPTION_INVALID',
      'within() needs a pg client, a Kysely transaction or an object with query(text, values).',
    )
  }
  return async <Row>(text: string, values: readonly unknown[] = []) => (await tx.query(text, [...values])).rows as Row[]
}
