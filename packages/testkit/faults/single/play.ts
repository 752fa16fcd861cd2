import assert from 'node:assert/strict'
import { createClient } from '@q/core'
import type { BaseClient } from '@q/core'
import type { JobId, JobStorage } from '@q/core/storage'
import { check } from '../evidence/check.ts'
import type { Witnessed } from '../evidence/entry.ts'
import type { Evidence } from '../evidence/evidence.ts'
import { openRuns } from '../evidence/open-runs.ts'
import { collect } from '../fleet/collect.ts'
import { Fleet } from '../fleet/fleet.ts'
import type { Member } from '../fleet/member.ts'
import { until } from '../fleet/until.ts'
import { fleetJobs } from '../programs/jobs.ts'
import type { FleetJobs } from '../programs/jobs.ts'
import type { Plan } from '../programs/plan.ts'
import { Announcer } from '../programs/producer.ts'
import type { Stage } from '../stages/stage.ts'

/** A small fleet to which one thing happens. */
export class Play implements AsyncDisposable {
  readonly fleet: Fleet
  readonly storage: JobStorage
  readonly client: BaseClient
  readonly jobs: FleetJobs
  readonly announcer: Announcer

  private constructor(fleet: Fleet, storage: JobStorage) {
    this.fleet = fleet
    this.storage = storage
    this.client = createClient({ storage, name: 'harness' })
    this.jobs = fleetJobs(fleet.ownLedger)
    this.announcer = new Announcer(this.client, fleet.ownLedger)
  }

  static async open(stage: Stage, leaseMs: number): Promise<Play> {
    const fleet = await Fleet.open({ stage, leaseMs })
    return new Play(fleet, await stage.open())
  }

  /** A worker to which something happens, and one that begins when it does. */
  async pair(change: Partial<Plan> = {}): Promise<[Member, Member]> {
    const pair = await Promise.all([this.fleet.start('worker', change), this.fleet.start('worker', { waits: true })])
    await Promise.all(pair.map((member) => member.ready()))
    return pair
  }

  /** Jobs that run so long, all running on this process. */
  async occupy(member: Member, count: number, ms: number): Promise<readonly JobId[]> {
    const ids = await Promise.all(Array.from({ length: count }, () => this.announcer.enqueue(this.jobs.long, { ms })))
    await until(`${member.name} runs them`, 30_000, () => {
      const open = new Set(openRuns(this.fleet.entriesOf(member.name)).map(({ id }) => id))
      return ids.every((id) => open.has(id))
    })
    return ids
  }

  async hasSession(member: Member): Promise<boolean> {
    return (await this.storage.monitor.sessions()).some(({ server }) => server === member.name)
  }

  async end(ids: readonly JobId[], withinMs = 60_000): Promise<void> {
    await until('all of them have succeeded', withinMs, async () =>
      (await this.storage.monitor.get(ids)).every((job) => job?.state.phase === 'succeeded'),
    )
  }

  /** Every process ends by itself, and the checker finds nothing. */
  async reckon(): Promise<Evidence> {
    await this.fleet.stop()
    const evidence = await collect(this.fleet, this.storage)
    assert.deepEqual(check(evidence), [])
    return evidence
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.fleet[Symbol.asyncDispose]()
    await this.client.close()
    await this.storage.close()
  }
}

export function startsOf(
  { entries }: Evidence,
  id: JobId,
): Extract<Witnessed, { readonly k: 'start' | 'end' | 'effect' | 'threw' }>[] {
  return entries.flatMap((entry) => (entry.k === 'start' && entry.id === id ? [entry] : []))
}
