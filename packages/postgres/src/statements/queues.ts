import type { Statement } from '../statement.ts'

export const setQueue: Statement<[num: number, patch: string], never> = {
  name: 'set-queue',
  text: (q) => /* sql */ `select ${q}.queue_set_v1($1, $2::jsonb)`,
}
