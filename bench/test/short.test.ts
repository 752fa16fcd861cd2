import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import type { Report } from '../src/report.ts'
import { spreadOf } from '../src/statistics.ts'

const run = promisify(execFile)

test('the bench runs every contender on every storage, and prints a table with ratios', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'q-bench-test-'))
  const json = join(folder, 'results.json')
  const args = ['--conditions=@q/source', join(import.meta.dirname, '../src/main.ts'), '--short', '--json', json]
  const { stdout } = await run(process.execPath, [...args, '--scenario', 'drain 20k, concurrency 100'], {
    maxBuffer: 1e7,
  })
  const report = JSON.parse(await readFile(json, 'utf8')) as Report
  await rm(folder, { recursive: true })
  expect(new Set(report.rows.map(({ place }) => place)).size).toBe(6)
  for (const name of ['q', 'bullmq', 'bee-queue', 'graphile-worker', 'pg-boss', 'plainjob', 'raw pg']) {
    expect(report.rows.filter(({ contender }) => contender === name).length).toBeGreaterThan(0)
  }
  for (const { figures } of report.rows) expect(figures['jobs/s']!.median).toBeGreaterThan(0)
  expect(stdout).toMatch(/\| storage \| library \| setting \| jobs\/s \| q is \|/)
}, 300_000)

test('every scenario runs in memory', async () => {
  const args = ['--conditions=@q/source', join(import.meta.dirname, '../src/main.ts'), '--short', '--library', 'q']
  const { stdout } = await run(process.execPath, [...args, '--storage', 'memory'], {
    maxBuffer: 1e7,
  })
  expect(stdout.match(/^1\/1 {2}/gm)).toHaveLength(10)
}, 300_000)

test('a spread is median, least and most', () => {
  expect(spreadOf([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 })
  expect(spreadOf([4, 1, 2, 3])).toEqual({ median: 2.5, min: 1, max: 4 })
})
