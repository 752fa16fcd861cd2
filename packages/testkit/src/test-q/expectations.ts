import { AssertionError } from 'node:assert'
import { inspect, isDeepStrictEqual } from 'node:util'
import type { CreatedJobs, TestJob } from './created-jobs.ts'

/** A part of an input, or a question to ask of it. */
export type ExpectedInput<Input> =
  | (Input extends object ? PartOf<Input> : Input)
  | ((input: Input) => boolean)
  | undefined

type PartOf<T> = T extends readonly unknown[] ? T : T extends object ? { readonly [K in keyof T]?: PartOf<T[K]> } : T

export interface Expectation {
  /** How many such jobs. Default: at least one. */
  readonly times?: number | undefined
  /** What it is in now: `'enqueued'`, `'scheduled'`, `'succeeded'` … */
  readonly state?: string | undefined
  readonly queue?: string | undefined
  /** All of these, and maybe more. */
  readonly tags?: readonly string[] | undefined
  /** When a scheduled job is due. */
  readonly at?: string | number | Date | undefined
}

type Named = { readonly name: string }

export function expectEnqueued<Input>(
  created: CreatedJobs,
  job: Named,
  input?: ExpectedInput<Input>,
  expected: Expectation = {},
): TestJob<Input> {
  const found = matching(created, job, input, expected)
  const { times } = expected
  if (times === undefined ? found.length > 0 : found.length === times) return found[0] as TestJob<Input>
  const wanted = describeExpected(job, input, expected)
  throw failure(
    times === undefined
      ? `Nobody enqueued ${wanted}.`
      : `Expected ${times} times ${wanted}, and found ${found.length}.`,
    created,
    job,
    input,
    expectEnqueued,
  )
}

export function expectNone<Input>(
  created: CreatedJobs,
  job?: Named,
  input?: ExpectedInput<Input>,
  expected: Expectation = {},
): void {
  const found = job === undefined ? created.list() : matching(created, job, input, expected)
  if (found.length === 0) return
  const wanted = job === undefined ? 'no job at all' : `no ${describeExpected(job, input, expected)}`
  throw failure(`Expected ${wanted}, and found ${found.length}.`, created, job, input, expectNone)
}

function matching<Input>(
  created: CreatedJobs,
  job: Named,
  input: ExpectedInput<Input>,
  { state, queue, tags = [], at }: Expectation,
): readonly TestJob[] {
  return created
    .list(job.name)
    .filter(
      (one) =>
        hasInput(one.input as Input, input) &&
        (state === undefined || one.state === state) &&
        (queue === undefined || one.queue === queue) &&
        tags.every((tag) => one.tags.includes(tag)) &&
        (at === undefined || one.scheduledFor?.getTime() === new Date(at).getTime()),
    )
}

function hasInput<Input>(input: Input, expected: ExpectedInput<Input>): boolean {
  if (expected === undefined) return true
  return typeof expected === 'function' ? (expected as (input: Input) => boolean)(input) : hasPart(input, expected)
}

function hasPart(value: unknown, part: unknown): boolean {
  if (!isPlainObject(part)) return isDeepStrictEqual(value, part)
  return isPlainObject(value) && Object.keys(part).every((key) => hasPart(value[key], part[key]))
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && [Object.prototype, null].includes(Object.getPrototypeOf(value))
}

function failure(
  problem: string,
  created: CreatedJobs,
  job: Named | undefined,
  input: unknown,
  caller: typeof expectEnqueued | typeof expectNone,
): AssertionError {
  const actual = created.list(job?.name).map((one) => one.input)
  return new AssertionError({
    message: `${problem}\n${describeJobs(created, job)}`,
    actual,
    expected: input,
    operator: caller.name,
    stackStartFn: caller,
  })
}

const mostListed = 20

/** What is there, those of the same name first. */
function describeJobs(created: CreatedJobs, job: Named | undefined): string {
  const all = created.list()
  if (all.length === 0) return 'No job was created at all.'
  const sorted = all.toSorted((a, b) => Number(b.name === job?.name) - Number(a.name === job?.name))
  const lines = sorted.slice(0, mostListed).map((one) => `  - ${describeJob(one)}`)
  const rest = all.length > mostListed ? [`  … and ${all.length - mostListed} more`] : []
  return [`There ${all.length === 1 ? 'is 1 job' : `are ${all.length} jobs`}:`, ...lines, ...rest].join('\n')
}

function describeJob({ name, input, state, reason, queue, scheduledFor, tags }: TestJob): string {
  const words = [
    `${name}${input === undefined ? '' : ` ${show(input)}`}`,
    `${state}${scheduledFor === undefined ? '' : ` for ${scheduledFor.toISOString()}`}${reason === undefined ? '' : ` (${reason})`}`,
    `queue ${queue}`,
    ...(tags.length > 0 ? [`tags ${tags.join(', ')}`] : []),
  ]
  return words.join(' · ')
}

function describeExpected(job: Named, input: unknown, { times: _times, ...expected }: Expectation): string {
  const withInput =
    input === undefined ? '' : ` with ${typeof input === 'function' ? 'an input as asked for' : show(input)}`
  return `"${job.name}"${withInput}${Object.keys(expected).length === 0 ? '' : `, ${show(expected)}`}`
}

function show(value: unknown): string {
  return inspect(value, { depth: 4, breakLength: Infinity, maxStringLength: 200, maxArrayLength: 20 })
}
