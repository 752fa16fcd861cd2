import type { FinalPhase } from '@q/core/storage'
import { phaseNumber } from './codec.ts'
import { forgetEdges } from './edges.ts'
import { leavePhase } from './place.ts'
import { rememberEnd } from './runs.ts'
import { statement } from './statement.ts'
import { dropDone } from './statements/job.ts'
import type { Store } from './store.ts'
import { type StoredJob, phaseIn } from './stored-job.ts'

const stubMs = 120_000

const dropJob = statement<[string]>((t) => `delete from ${t.job} where id = ?`)
const dropMore = statement<[string]>((t) => `delete from ${t.more} where id = ?`)
const dropHistory = statement<[string]>((t) => `delete from ${t.history} where id = ?`)
const dropLog = statement<[string]>((t) => `delete from ${t.log} where id = ?`)
const dropTag = statement<[string, string]>((t) => `delete from ${t.tag} where tag = ? and id = ?`)
const addStub = statement<[string, number, string, string, number]>(
  (t) => `insert or replace into ${t.stub} values (?, ?, ?, ?, ?)`,
)

/** Takes a final job out of the storage with all that hangs on it, and leaves a stub as long as a repeat of its creation or end may come. */
export function removeJob(store: Store, job: StoredJob): void {
  const { id, rest, cold, at } = job
  const end = phaseIn(job) as FinalPhase
  if (job.isRare) {
    leavePhase(store, job, 'end')
    store.db.run(dropMore, id)
    store.db.run(dropHistory, id)
    store.db.run(dropLog, id)
    forgetEdges(store, id)
  } else {
    store.queues.count(job.queue, end, -1)
    store.db.run(dropDone, id)
  }
  store.db.run(dropJob, id)
  for (const tag of cold.tags ?? []) store.db.run(dropTag, tag, id)
  if (cold.recurring !== undefined) rememberEnd(store, cold.recurring.id, id, end, job.ranMs)
  store.wakes.job(id)
  const until = at + stubMs
  if (until <= store.now) return
  const { commands = [], ended = [] } = rest
  store.db.run(addStub, id, phaseNumber(end), JSON.stringify(commands), JSON.stringify(ended), until)
}
