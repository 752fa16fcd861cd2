import type { Statement } from '../statement.ts'

/** In a transaction of its own: never in one that changes anything. True when somebody watches single jobs. */
export const poke: Statement<[channel: string, from: string, topics: readonly string[]], { jobs: boolean }> = {
  name: 'poke',
  text: (q) => /* sql */ `select ${q}.poke_v1($1, $2, $3::text[]) as jobs`,
}

/** Says what this process listens to, so that others know whether a notification is worth its lock. */
export const pricked: Statement<[id: string, topics: readonly string[]], never> = {
  name: 'pricked',
  text: (q) => /* sql */ `insert into ${q}.ear (id, topics, seen_at) values ($1, $2::text[], ${q}.now_ms())
    on conflict (id) do update set topics = excluded.topics, seen_at = excluded.seen_at`,
}

export const deaf: Statement<[id: string], never> = {
  name: 'deaf',
  text: (q) => /* sql */ `delete from ${q}.ear where id = $1`,
}

/** Through a pool, so on another connection than the one that listens: if it arrives, listening works. */
export const canary: Statement<[channel: string, payload: string], never> = {
  name: 'canary',
  text: () => /* sql */ `select pg_notify($1, $2)`,
}
