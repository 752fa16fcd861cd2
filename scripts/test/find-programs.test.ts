import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { chromium, findPrograms, pgBouncer, postgresServer, redisServer } from '../services/find-programs.ts'
import type { Surroundings } from '../services/find-programs.ts'

const folders: string[] = []

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true })
})

/** A machine that has these programs and no Debian packages. */
function machineWith(programs: readonly string[], env: NodeJS.ProcessEnv = {}): Surroundings & { root: string } {
  const root = mkdtempSync(join(tmpdir(), 'q-machine-'))
  folders.push(root)
  for (const program of programs) {
    mkdirSync(dirname(join(root, program)), { recursive: true })
    writeFileSync(join(root, program), '#!/bin/sh\n', { mode: 0o755 })
  }
  const cache = join(root, 'cache')
  return { root, cache, env: { Q_NO_APT: '1', ...env }, isRoot: false, announce: () => undefined }
}

describe('a program', () => {
  it('is found in sbin, where PATH of a plain user does not lead', async () => {
    const machine = machineWith(['usr/sbin/pgbouncer'])
    expect((await findPrograms([pgBouncer], machine)).get(pgBouncer)).toBe(join(machine.root, 'usr/sbin/pgbouncer'))
  })

  it('is taken from PATH before any other folder', async () => {
    const machine = machineWith(['mine/redis-server', 'usr/bin/redis-server'])
    const env = { ...machine.env, PATH: join(machine.root, 'mine') }
    const found = await findPrograms([redisServer], { ...machine, env })
    expect(found.get(redisServer)).toBe(join(machine.root, 'mine/redis-server'))
  })

  it('may be Valkey where Redis is meant', async () => {
    const machine = machineWith(['usr/bin/valkey-server'])
    expect((await findPrograms([redisServer], machine)).get(redisServer)).toMatch(/valkey-server$/)
  })

  it('is found in the folder of the newest version', async () => {
    const bins = [9, 15, 17].flatMap((version) =>
      ['postgres', 'initdb'].map((name) => `usr/lib/postgresql/${version}/bin/${name}`),
    )
    const machine = machineWith(bins)
    const file = (await findPrograms([postgresServer], machine)).get(postgresServer)
    expect(file).toBe(join(machine.root, 'usr/lib/postgresql/17/bin/postgres'))
  })

  it('is passed over when what it needs does not lie beside it', async () => {
    const machine = machineWith([
      'usr/bin/postgres',
      'usr/lib/postgresql/15/bin/postgres',
      'usr/lib/postgresql/15/bin/initdb',
    ])
    const file = (await findPrograms([postgresServer], machine)).get(postgresServer)
    expect(file).toBe(join(machine.root, 'usr/lib/postgresql/15/bin/postgres'))
  })

  it('that is named outright is used, and a wrong name is an error rather than a search', async () => {
    const machine = machineWith(['usr/bin/redis-server', 'mine/redis'])
    const named = join(machine.root, 'mine/redis')
    const found = await findPrograms([redisServer], { ...machine, env: { ...machine.env, REDIS_SERVER_BIN: named } })
    expect(found.get(redisServer)).toBe(named)
    await expect(
      findPrograms([redisServer], { ...machine, env: { ...machine.env, REDIS_SERVER_BIN: '/nowhere/redis' } }),
    ).rejects.toThrow('REDIS_SERVER_BIN=/nowhere/redis is not an executable file: correct it or unset it.')
  })
})

describe('programs that are nowhere', () => {
  it('are named in one error with all that was looked for and what docker could do instead', async () => {
    const wanted = [redisServer, postgresServer, pgBouncer, chromium]
    const error = await findPrograms(wanted, machineWith([])).catch((reason: unknown) => reason as Error)
    const text = (error as Error).message
    expect(text).toContain(
      'The tests need Redis, PostgreSQL, PgBouncer, Chromium, and this machine has no such program.',
    )
    for (const { variable, names, folders: looked } of wanted) {
      for (const part of [variable, ...names, ...looked]) expect(text).toContain(part)
    }
    expect(text).toContain('Debian packages: not tried, Q_NO_APT=1 is set')
    expect(text).toContain('docker compose up -d --wait')
    for (const variable of ['REDIS_URL', 'REDIS_CLUSTER_URLS', 'DATABASE_URL', 'PGBOUNCER_URL', 'CHROMIUM_PATH']) {
      expect(text).toContain(`${variable}=`)
    }
  })
})
