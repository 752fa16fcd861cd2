import assert from 'node:assert/strict'
import { inspect, isDeepStrictEqual } from 'node:util'
import type { JobStorage } from '@q/core/storage'
import { isQError } from '@q/core/storage'
import { memoryStorage } from '@q/core/memory'
import { ManualClock } from '../manual-clock.ts'
import type { ScratchStorage } from '../suite/scratch.ts'
import { comparable } from './comparable.ts'
import { differences } from './differences.ts'

/** One of the two storages, and what only it can know: versions are numbers of its own. */
export interface Side {
  readonly storage: JobStorage
  readonly versions: Map<string, number>
}

/** One call, made on both sides. */
export interface Step<T> {
  /** For people; only asked for when something differs. */
  says(): string
  run(side: Side): Promise<T>
  /** What of the result both have to agree on; all of it by default. */
  shape?(result: T): unknown
}

/** What a call came to: errors are results as well. */
export type Outcome<T> = { readonly value: T } | { readonly code: string }

/** A storage and the memory engine, in lockstep: whatever one is asked the other is asked, and both must answer alike. */
export class Pair {
  readonly subject: Side
  readonly model: Side
  readonly #scratch: ScratchStorage
  readonly #clock: ManualClock
  readonly #trace: (() => string)[] = []

  constructor(scratch: ScratchStorage) {
    this.#scratch = scratch
    this.#clock = new ManualClock(Date.now())
    this.subject = { storage: scratch.storage, versions: new Map() }
    this.model = { storage: memoryStorage({ clock: this.#clock }), versions: new Map() }
  }

  /** Runs the step on both, compares, and gives back what the model said. */
  async run<T>(step: Step<T>): Promise<Outcome<T>> {
    await this.#clock.advance(1)
    if (this.#scratch.clock) await this.#scratch.clock.advance(1)
    this.#trace.push(() => step.says())
    if (this.#trace.length > 12) this.#trace.shift()
    const [found, expected] = await Promise.all([outcomeOf(step, this.subject), outcomeOf(step, this.model)])
    this.#compare(step, found, expected)
    return expected
  }

  /** Lets a few milliseconds pass on both clocks. */
  async elapse(ms: number): Promise<void> {
    await this.#clock.advance(ms)
    if (this.#scratch.clock) return void (await this.#scratch.clock.advance(ms))
    const clock = async (): Promise<number> => (await this.subject.storage.recurring.due(1)).now
    const until = (await clock()) + ms
    while ((await clock()) < until) await new Promise((resolve) => setTimeout(resolve, 1))
  }

  /** The last steps, for people. */
  get trace(): string {
    return this.#trace.map((says) => says()).join('\n')
  }

  #compare<T>(step: Step<T>, found: Outcome<T>, expected: Outcome<T>): void {
    const shape = (outcome: Outcome<T>): unknown =>
      comparable('value' in outcome && step.shape ? { value: step.shape(outcome.value) } : outcome)
    const [here, there] = [shape(found), shape(expected)]
    if (isDeepStrictEqual(here, there)) return
    assert.fail(`differs from the memory engine in ${step.says()}\n${differences(here, there)}`)
  }
}

async function outcomeOf<T>(step: Step<T>, side: Side): Promise<Outcome<T>> {
  try {
    return { value: await step.run(side) }
  } catch (error) {
    if (!isQError(error)) throw error
    return { code: error.code }
  }
}

/** A call as a text, made when somebody reads it. */
export function say(name: string, ...args: readonly unknown[]): () => string {
  return () =>
    `${name}(${args.map((arg) => inspect(arg, { depth: 6, breakLength: Infinity, compact: true })).join(', ')})`
}
