import type { Statement } from '../statement.ts'

/** In a transaction of its own: never in one that changes anything. True when somebody watches single jobs. */
export const poke: Statement<[channel: string, from: string, topics: readonly string[]], { jobs: boolean }> = {
  name: 'poke',
  text: (q) => /* sql */ `select ${q}.poke_v1($1, $2, $3::text[]) as jobs`,
}

const prick = (
  q: string,
): string => /* sql */ `insert into ${q}.ear (id, topics, seen_at) values ($1, $2::text[], ${q}.now_ms())
    on conflict (id) do update set topics = excluded.topics, seen_at = excluded.seen_at`

/** Says what this process listens to, so that others know whether a notification is worth its lock. */
export const pricked: Statement<[id: string, topics: readonly string[]], never> = { name: 'pricked', text: prick }

export const deaf: Statement<[id: string], never> = {
  name: 'deaf',
  text: (q) => /* sql */ `delete from ${q}.ear where id = $1`,
}

/** Through a pool, so on another connection than the one that listens: if it arrives, listening works. */
export const canary: Statement<[channel: string, payload: string], never> = {
  name: 'canary',
  text: () => /* sql */ `select pg_notify($1, $2)`,
}

/**
 * Both in one, as an idle process says it over and over. An ear need not outlive a crash of the server, so nobody waits
 * for the disk while the lock that a notification takes is held.
 */
export const signOfLife: Statement<[id: string, topics: readonly string[], channel: string, payload: string], never> = {
  name: 'sign-of-life',
  text: (q) =>
    /* sql */ `with ear as (${prick(q)}) select set_config('synchronous_commit', 'off', true), pg_notify($3, $4)`,
}
