import type { Statement } from '../statement.ts'
import type { CreateReply, RawOutcome } from '../codec.ts'

/** All in one step. `within`: as part of a caller's transaction, where nothing shared may be waited for or kept. */
export const createJobs: Statement<[plain: string | null, slow: string | null, within: boolean], CreateReply> = {
  name: 'create-jobs',
  text: (q) => /* sql */ `select plain, slow from ${q}.create_v1($1::json, $2::jsonb, $3)`,
}

/** All of them or none. */
export const createAlike: Statement<[like: string, ids: string, payloads: string], { stored: boolean }> = {
  name: 'create-alike',
  text: (q) => /* sql */ `select ${q}.create_alike_v1($1::json, $2::uuid[], $3) as stored`,
}

export const applyList: Statement<[list: string], { outcomes: readonly RawOutcome[]; topics: string | null }> = {
  name: 'apply-list',
  text: (q) => /* sql */ `select outcomes, topics from ${q}.apply_v1($1::jsonb)`,
}
