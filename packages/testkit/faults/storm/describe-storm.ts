import { expect, test } from 'vitest'
import type { Stage } from '../stages/stage.ts'
import { fileGoals, fileQuota, serverGoals, serverQuota } from './quota.ts'
import { shortfalls, storm } from './storm.ts'

/** Everything at once on one storage, with a seed that is printed; the figures are printed as well, and have to be high enough. */
export function describeStorm(open: () => Promise<Stage>): void {
  test('nothing is lost and nothing finished twice while everything fails at once', { timeout: 230_000 }, async () => {
    await using stage = await open()
    const seed = Number(process.env['Q_FAULTS_SEED'] ?? Math.floor(Math.random() * 1e6))
    console.log(`${stage.label}: seed ${seed} (repeat it with Q_FAULTS_SEED=${seed})`)
    const [quota, goals] = stage.restart === undefined ? [fileQuota, fileGoals] : [serverQuota, serverGoals]
    const { figures, violations, recoveredMs } = await storm({ stage, seed, quota, atMostMs: 150_000 })
    console.log(`${stage.label}: ${JSON.stringify({ ...figures, recoveredMs: Math.round(recoveredMs) })}`)

    expect(violations).toEqual([])
    expect(figures).toMatchObject({ lost: 0, doubled: 0, violations: 0, zombieRunsRefused: figures.zombieRuns })
    expect(figures.jobs).toBeGreaterThan(200)
    expect(shortfalls(figures, goals)).toEqual([])
  })
}
