import { QError } from '../errors.ts'
import { isFinalPhase } from '../storage/job.ts'
import type { JobId } from '../storage/job.ts'
import type { ClientCore } from './client-core.ts'
import { readLogEntry } from './log-entry.ts'
import { watchUntil } from './watch-until.ts'

export type JobEvent =
  | {
      readonly type: 'state'
      readonly state: string
      readonly reason: string | undefined
      readonly at: Date
      readonly attempt: number
    }
  | { readonly type: 'progress'; readonly value: number; readonly message: string | undefined }
  | {
      readonly type: 'log'
      readonly level: string
      readonly text: string
      readonly fields: Readonly<Record<string, unknown>> | undefined
      readonly at: Date
    }

/** Where a subscriber has read to. */
interface Position {
  state: number
  log: number
  progress: string
}

/**
 * The events of one job. States and log lines are read from where the last look ended, so none is missed and none
 * comes twice, however many notifications were lost; progress may skip values in between.
 */
export async function* subscribe(
  core: ClientCore,
  id: JobId,
  signal: AbortSignal | undefined,
): AsyncIterableIterator<JobEvent> {
  const [view] = await core.storage.monitor.get([id])
  if (view === undefined || view === null) {
    throw new QError('Q_JOB_NOT_FOUND', `Job ${id} is not in storage: it never existed, or its retention has ended.`)
  }
  yield {
    type: 'state',
    state: view.state.name,
    reason: view.state.reason,
    at: new Date(view.state.at),
    attempt: view.state.attempt,
  }
  if (isFinalPhase(view.state.phase)) return
  const position: Position = { state: view.state.n, log: 0, progress: '' }
  while (true) {
    const news = await watchUntil(core, { job: id }, () => readNews(core, id, position), { signal })
    for (const event of news.events) yield event
    if (news.ended) return
  }
}

interface News {
  readonly events: readonly JobEvent[]
  readonly ended: boolean
}

async function readNews(core: ClientCore, id: JobId, position: Position): Promise<News | undefined> {
  // The states first: a line logged after this look belongs to the next one.
  const states = await core.storage.monitor.history(id, position.state)
  const [view] = await core.storage.monitor.get([id])
  const logs = await core.storage.monitor.logs(id, position.log)
  const events: (JobEvent & { readonly at?: Date })[] = []
  for (const line of logs.items) {
    position.log = line.n
    const { level, text, fields, at } = readLogEntry(core, line)
    events.push({ type: 'log', level, text, fields, at })
  }
  for (const record of states) {
    position.state = record.n
    events.push({
      type: 'state',
      state: record.name,
      reason: record.reason,
      at: new Date(record.at),
      attempt: record.attempt,
    })
  }
  events.sort((a, b) => a.at!.getTime() - b.at!.getTime())
  const progress = readProgress(core, view?.progress, position)
  if (progress !== undefined) events.unshift(progress)
  const last = states.at(-1)
  const ended =
    view === null || view === undefined || (last !== undefined && isFinalPhase(last.phase) && last.n === view.state.n)
  if (ended) return { events, ended }
  return events.length > 0 ? { events, ended } : undefined
}

function readProgress(
  core: ClientCore,
  payload: Parameters<ClientCore['tryDecode']>[0] | undefined,
  position: Position,
): JobEvent | undefined {
  if (payload === undefined) return undefined
  const key = typeof payload === 'string' ? payload : Buffer.from(payload).toString('base64')
  if (key === position.progress) return undefined
  position.progress = key
  const data = core.tryDecode(payload)
  if (!Array.isArray(data) || typeof data[0] !== 'number') return undefined
  return { type: 'progress', value: data[0], message: typeof data[1] === 'string' ? data[1] : undefined }
}
