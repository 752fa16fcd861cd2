import type { Case } from './chapter.ts'
import type { SuiteOptions } from './context.ts'
import { CaseContext } from './context.ts'
import type { OpenScratch } from './scratch.ts'

/** Runs one case on a storage of its own. Rejects when the promise is not kept; needs no test runner. */
export async function runCase(one: Case, open: OpenScratch, options: SuiteOptions = {}): Promise<void> {
  // No `await using`: Node 22 runs this file as it is.
  const t = new CaseContext(await open({ cold: one.cold }), options)
  try {
    if (!one.cold) await t.storage.start()
    await one.body(t)
  } finally {
    await t[Symbol.asyncDispose]()
  }
}
