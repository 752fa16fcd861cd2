import type { Statement } from '../statement.ts'
import type { CreateReply, RawOutcome } from '../codec.ts'

/** All in one step. `within`: as part of a caller's transaction, where nothing shared may be waited for or kept. */
export const createJobs: Statement<
  [plain: string | null, slow: string | null, within: boolean, alike: string | null],
  CreateReply
> = {
  name: 'create-jobs',
  text: (q) => /* sql */ `select plain, slow from ${q}.create_v1($1::json, $2::jsonb, $3, $4::json)`,
}

export const applyList: Statement<[list: string], { outcomes: readonly RawOutcome[]; topics: string | null }> = {
  name: 'apply-list',
  text: (q) => /* sql */ `select outcomes, topics from ${q}.apply_v1($1::jsonb)`,
}
