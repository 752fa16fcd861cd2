import type { Statement } from '../statement.ts'

export const promote: Statement<
  [limit: number],
  { moved: number; again: boolean; next_due: string | null; topics: string | null }
> = { name: 'promote', text: (q) => /* sql */ `select moved, again, next_due, topics from ${q}.promote_v1($1)` }

export const recover: Statement<
  [limit: number],
  {
    jobs: readonly string[]
    sessions: readonly string[]
    again: boolean
    next_look: string | null
    topics: string | null
  }
> = {
  name: 'recover',
  text: (q) => /* sql */ `select jobs::text[] as jobs, sessions, again, next_look, topics from ${q}.recover_v1($1)`,
}

export const sweep: Statement<[limit: number], { removed: number; again: boolean; topics: string | null }> = {
  name: 'sweep',
  text: (q) => /* sql */ `select removed, again, topics from ${q}.sweep_v1($1)`,
}
