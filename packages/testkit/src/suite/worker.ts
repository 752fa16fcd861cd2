import assert from 'node:assert/strict'
import type {
  ApplyOutcome,
  Claim,
  ClaimedJob,
  Exchange,
  ExchangeResult,
  JobStorage,
  Reconciled,
  SessionId,
  Transition,
} from '@q/core/storage'
import { states } from './records.ts'

/** One session, and the numbers of its calls. The suite's stand-in for a server. */
export class TestWorker {
  readonly storage: JobStorage
  readonly session: SessionId
  readonly queues: Claim['queues']
  /** The number of the last call that was sent. */
  call = 0

  constructor(storage: JobStorage, session: SessionId, queues: readonly string[]) {
    this.storage = storage
    this.session = session
    this.queues = queues.map((name) => ({ name }))
  }

  async exchange(part: Partial<Omit<Exchange, 'session'>> = {}): Promise<ExchangeResult> {
    return this.storage.work.exchange({ session: this.session, call: ++this.call, apply: [], ...part })
  }

  asking(max: number, over: Partial<Claim> = {}): Claim {
    return { max, queues: this.queues, state: states.processing, ...over }
  }

  async claim(max = 1, over: Partial<Claim> = {}): Promise<readonly ClaimedJob[]> {
    return (await this.exchange({ claim: this.asking(max, over) })).claimed
  }

  /** The one job that must be there. */
  async claimOne(over: Partial<Claim> = {}): Promise<ClaimedJob> {
    const [claimed, ...more] = await this.claim(1, over)
    assert.ok(claimed, 'a job should have been claimed')
    assert.equal(more.length, 0)
    return claimed
  }

  /** Everything ready, whatever it takes: a claim may answer less than it was asked for while others are at it. */
  async claimAll(over: Partial<Claim> = {}, chunk = 100): Promise<ClaimedJob[]> {
    const all: ClaimedJob[] = []
    for (;;) {
      const reply = await this.exchange({ claim: this.asking(chunk, over) })
      all.push(...reply.claimed)
      if (reply.claimed.length === 0 && !reply.more) return all
    }
  }

  async apply(...list: readonly Transition[]): Promise<readonly ApplyOutcome[]> {
    return (await this.exchange({ apply: list })).applied
  }

  /** Applies, and insists that every item was. */
  async done(...list: readonly Transition[]): Promise<void> {
    const outcomes = await this.apply(...list)
    for (const outcome of outcomes) assert.equal(outcome.ok, 'applied')
  }

  async reconcile(call: number, list: readonly Transition[] = []): Promise<Reconciled> {
    return this.storage.work.reconcile(this.session, call, list)
  }

  async heartbeat(): Promise<boolean> {
    const [beat] = await this.storage.work.heartbeat([this.session])
    assert.ok(beat, 'a heartbeat is answered for every session')
    return beat.alive
  }

  async end(): Promise<void> {
    await this.storage.work.end(this.session)
  }
}
