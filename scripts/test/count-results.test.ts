import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { countResults } from '../count-results.mjs'

const folders: string[] = []

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

const good = { numPassedTests: 3, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] }
const checks = [{ passed: true }, { passed: true }]

function count({
  tests = good as object | null,
  written = checks as object | null,
  testsCode = 0,
  checksCode = 0,
} = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'q-count-'))
  folders.push(folder)
  const [testsFile, checksFile] = [join(folder, 'tests.json'), join(folder, 'checks.json')]
  if (tests !== null) writeFileSync(testsFile, JSON.stringify(tests))
  if (written !== null) writeFileSync(checksFile, JSON.stringify(written))
  return countResults({ testsFile, testsCode, checksFile, checksCode })
}

describe('the closing line of a full run', () => {
  it('adds up tests and checks', () => {
    expect(count()).toEqual({ passed: 5, failed: 0, notes: [] })
  })

  it('counts failed tests and failed checks', () => {
    const tests = { ...good, numFailedTests: 2 }
    const outcome = count({ tests, testsCode: 1, written: [{ passed: true }, { passed: false }], checksCode: 1 })
    expect(outcome).toEqual({ passed: 4, failed: 3, notes: [] })
  })

  it('counts a test file that could not be collected', () => {
    const testResults = [{ name: 'a.test.ts', status: 'failed', assertionResults: [] }]
    const { failed, notes } = count({ tests: { ...good, testResults }, testsCode: 1 })
    expect({ failed, notes }).toEqual({ failed: 1, notes: ['a.test.ts failed as a whole.'] })
  })

  it('counts a failure that belongs to no test', () => {
    expect(count({ testsCode: 1 }).failed).toBe(1)
    expect(count({ checksCode: 1 }).failed).toBe(1)
  })

  it('counts tests that were left out as failed', () => {
    expect(count({ tests: { ...good, numPendingTests: 1, numTodoTests: 1 } }).failed).toBe(2)
  })

  it('fails when no test ran', () => {
    expect(count({ tests: { ...good, numPassedTests: 0 } }).failed).toBe(1)
  })

  it('fails when the tests or the checks never came to an end', () => {
    expect(count({ tests: null, testsCode: 1 })).toMatchObject({ passed: 2, failed: 1 })
    expect(count({ written: null, checksCode: 1 })).toMatchObject({ passed: 3, failed: 1 })
  })
})
