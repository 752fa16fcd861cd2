import type { Read } from '@q/core/storage'
import type { Connections } from './connection.ts'
import type { Statement } from './statement.ts'

const defaultTimeoutMs = 2_000

/** One look at the storage: all its statements see the same moment. */
export interface Look {
  read<Values extends readonly unknown[], Row>(statement: Statement<Values, Row>, values: Values): Promise<Row[]>
  run<Row>(text: string, values: readonly unknown[]): Promise<Row[]>
}

/** Reads for people, on connections of their own and with a time limit that the server keeps. */
export async function look<T>(
  connections: Connections,
  read: Read | undefined,
  body: (look: Look) => Promise<T>,
): Promise<T> {
  read?.signal?.throwIfAborted()
  const timeoutMs = Math.max(1, Math.round(read?.timeoutMs ?? defaultTimeoutMs))
  return connections.session(
    'reading',
    async (client) => {
      // Both end with the transaction: a pooler may give this connection to somebody else next.
      await client.query(
        `begin isolation level repeatable read read only; set local statement_timeout = ${timeoutMs}; set local jit = off`,
      )
      try {
        const run = async <Row>(text: string, values: readonly unknown[]): Promise<Row[]> => {
          read?.signal?.throwIfAborted()
          return (await client.query(text, [...values])).rows as Row[]
        }
        return await body({ run, read: (statement, values) => run(statement.text(connections.schema), values) })
      } finally {
        await client.query('commit')
      }
    },
    timeoutMs * 4 + 5_000,
  )
}
