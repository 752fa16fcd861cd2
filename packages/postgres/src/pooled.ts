import type { Connections } from './connection.ts'

/** Whether a pooler stands between: then another process of the server answers than the one that was introduced. */
export function isPooled(connections: Connections): Promise<boolean> {
  return connections.session('work', async (client) => {
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid')
    const introduced: unknown = Reflect.get(client, 'processID')
    return typeof introduced === 'number' && introduced !== rows[0]?.pid
  })
}
