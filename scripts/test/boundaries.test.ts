import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { findViolations } from '../checks/boundaries.ts'

const folders: string[] = []

function checkoutWith(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'q-boundaries-'))
  folders.push(folder)
  for (const [name, source] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), source)
  }
  return folder
}

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

describe('import boundaries', () => {
  it.each([
    ['core and a driver', 'packages/core/src/a.ts', `import pg from 'pg'`],
    ['core and any package', 'packages/core/src/schedule/a.ts', `import { parse } from 'cron-parser'`],
    ['core and an adapter, imported as a type', 'packages/core/src/a.ts', `import type { A } from '@q/sqlite'`],
    ['core and timers', 'packages/core/src/a.ts', `import { setTimeout } from 'node:timers/promises'`],
    ['a state and the server', 'packages/core/src/states/a.ts', `import { worker } from '../server/worker.ts'`],
    ['the contract and the client', 'packages/core/src/storage/a.ts', `export { client } from '../client/client.ts'`],
    ['an adapter and all of core', 'packages/redis/src/a.ts', `import { createClient } from '@q/core'`],
    ['an adapter and another', 'packages/postgres/src/a.ts', `import { sql } from '@q/sqlite'`],
    [
      'an adapter and the file of another',
      'packages/postgres/src/a.ts',
      `import { sql } from '../../sqlite/src/sql.ts'`,
    ],
    ['an adapter and a driver that is not its own', 'packages/sqlite/src/a.ts', `await import('ioredis')`],
    ['the dashboard and an adapter', 'packages/dashboard/src/pages/a.ts', `import '@q/redis'`],
    ['production and testkit', 'apps/demo/src/a.ts', `import { manualClock } from '@q/testkit'`],
    ['an import over several lines', 'packages/core/src/a.ts', `import {\n  a,\n  b,\n} from '@q/testkit'`],
  ])('are crossed by %s', (_, file, source) => {
    expect(findViolations(checkoutWith({ [file]: `${source}\n` }))).not.toEqual([])
  })

  it.each([
    ['core and the platform', 'packages/core/src/a.ts', `import { randomUUID } from 'node:crypto'`],
    ['the server and a state', 'packages/core/src/server/a.ts', `import { failed } from '../states/failed.ts'`],
    [
      'an adapter, the contract and its driver',
      'packages/redis/src/a.ts',
      `import '@q/core/storage'\nimport 'ioredis'`,
    ],
    ['an example in a comment', 'packages/core/src/a.ts', ` * import { redisStorage } from '@q/redis'`],
    ['a test beside its file', 'packages/core/src/a.test.ts', `import { manualClock } from '@q/testkit'`],
    ['the demo and an adapter', 'apps/demo/src/a.ts', `import { redisStorage } from '@q/redis'`],
  ])('are kept by %s', (_, file, source) => {
    expect(findViolations(checkoutWith({ [file]: `${source}\n` }))).toEqual([])
  })

  it('say which file imports what, and why that is refused', () => {
    const checkout = checkoutWith({ 'packages/core/src/states/a.ts': `import { worker } from '../server/worker.ts'\n` })
    expect(findViolations(checkout)).toEqual([
      'packages/core/src/states/a.ts imports ../server/worker.ts: a state is data and never knows the server that performs it.',
    ])
  })
})
