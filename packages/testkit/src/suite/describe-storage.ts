import type { Case, Chapter } from './chapter.ts'
import { conformance } from './conformance.ts'
import type { SuiteOptions } from './context.ts'
import { runCase } from './run-case.ts'
import type { OpenScratch } from './scratch.ts'

/** Asked for only where it is installed: whoever tests jobs with another runner has no need of it. */
const vitest = await import('vitest').catch(() => null)

export interface DescribeOptions extends SuiteOptions {
  /** Only these chapters, by name: for a storage that is being written. */
  readonly chapters?: readonly string[] | undefined
}

/**
 * The whole conformance suite, registered with vitest: one test for each numbered case, each on a storage of its own.
 *
 * @example
 * describeStorage('mydb', () => openScratchStorage())
 */
export function describeStorage(name: string, open: OpenScratch, options: DescribeOptions = {}): void {
  if (vitest === null)
    throw new Error('describeStorage() registers its cases with vitest, which is not installed here.')
  const { describe, test } = vitest
  const register = (one: Case): void => {
    // Cases run beside each other, but for those that measure.
    test(one.title, { timeout: 120_000, concurrent: !one.alone }, () => runCase(one, open, options))
  }
  describe(`${name} keeps the contract`, () => {
    for (const chapter of chosen(options.chapters)) {
      describe(chapter.name, () => {
        for (const one of chapter.cases) register(one)
      })
    }
  })
}

function chosen(names: readonly string[] | undefined): readonly Chapter[] {
  if (names === undefined) return conformance
  const unknown = names.filter((name) => !conformance.some((chapter) => chapter.name === name))
  if (unknown.length > 0) throw new Error(`no such chapters: ${unknown.join(', ')}`)
  return conformance.filter(({ name }) => names.includes(name))
}
