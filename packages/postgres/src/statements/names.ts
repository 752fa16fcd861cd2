import type { Statement } from '../statement.ts'

export const intern: Statement<
  [queues: readonly string[], names: readonly string[], tags: readonly string[]],
  { queues: Record<string, number> | null; names: Record<string, number> | null; grown: boolean }
> = {
  name: 'intern',
  text: (q) => /* sql */ `select queues, names, grown from ${q}.intern_v1($1::text[], $2::text[], $3::text[])`,
}

export const queueOfNumber: Statement<[nums: readonly number[]], { num: number; name: string }> = {
  name: 'queue-of-number',
  text: (q) => /* sql */ `select num, name from ${q}.queue where num = any ($1::int[])`,
}

export const nameOfNumber: Statement<[nums: readonly number[]], { num: number; name: string }> = {
  name: 'name-of-number',
  text: (q) => /* sql */ `select num, name from ${q}.name where num = any ($1::int[])`,
}

export const queuesByName: Statement<[names: readonly string[] | null], { num: number; name: string }> = {
  name: 'queues-by-name',
  text: (q) => /* sql */ `select num, name from ${q}.queue where $1::text[] is null or name = any ($1)`,
}

export const jobsByName: Statement<[names: readonly string[]], { num: number; name: string }> = {
  name: 'jobs-by-name',
  text: (q) => /* sql */ `select num, name from ${q}.name where name = any ($1::text[])`,
}
