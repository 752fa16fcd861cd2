// Says in one line what a full run came to, from what vitest and the checks wrote down. Plain JavaScript: see run.mjs.
import { existsSync, readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'

/**
 * @typedef {object} Outcome
 * @property {number} passed
 * @property {number} failed
 * @property {string[]} notes what the numbers alone would not tell
 */

/**
 * Counts tests and checks. Whatever went wrong without a test of its own (a file that could not be collected, an error
 * outside of every test, a run that wrote nothing down) counts as one failure, so that no failure is lost.
 * @param {{ testsFile: string, testsCode: number, checksFile: string, checksCode: number }} run
 * @returns {Outcome}
 */
export function countResults({ testsFile, testsCode, checksFile, checksCode }) {
  const tests = countTests(testsFile)
  const checks = countChecks(checksFile)
  const notes = [...tests.notes, ...checks.notes]
  let failed = tests.failed + checks.failed
  if (testsCode !== 0 && tests.failed === 0) {
    failed += 1
    notes.push(`The tests ended with code ${testsCode} although none failed.`)
  }
  if (checksCode !== 0 && checks.failed === 0) {
    failed += 1
    notes.push(`The checks ended with code ${checksCode} although none failed.`)
  }
  return { passed: tests.passed + checks.passed, failed, notes }
}

/**
 * @param {string} file
 * @returns {Outcome}
 */
function countTests(file) {
  const results = read(file)
  if (results === null) return { passed: 0, failed: 1, notes: ['The tests wrote no results down.'] }
  const notes = []
  let failed = results.numFailedTests
  for (const suite of results.testResults) {
    const named = suite.assertionResults.some((/** @type {{ status: string }} */ { status }) => status === 'failed')
    if (suite.status !== 'failed' || named) continue
    failed += 1
    notes.push(`${suite.name} failed as a whole.`)
  }
  const left = results.numPendingTests + results.numTodoTests
  if (left > 0) {
    failed += left
    notes.push(`${left} tests were not run; in a full run that counts as failed.`)
  }
  if (results.numPassedTests === 0 && failed === 0) {
    failed = 1
    notes.push('No test ran.')
  }
  return { passed: results.numPassedTests, failed, notes }
}

/**
 * @param {string} file
 * @returns {Outcome}
 */
function countChecks(file) {
  const checks = /** @type {Array<{ passed: boolean }> | null} */ (read(file))
  if (checks === null) return { passed: 0, failed: 1, notes: ['The checks wrote no results down.'] }
  const passed = checks.filter((check) => check.passed).length
  return { passed, failed: checks.length - passed, notes: [] }
}

/** @param {string} file */
function read(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [testsFile = '', testsCode, checksFile = '', checksCode] = process.argv.slice(2)
  const { passed, failed, notes } = countResults({
    testsFile,
    testsCode: Number(testsCode),
    checksFile,
    checksCode: Number(checksCode),
  })
  for (const note of notes) console.log(note)
  console.log(`${passed} passed, ${failed} failed`)
  process.exitCode = failed === 0 ? 0 : 1
}
