import type { ServerView } from '@q/core'
import { matchesQueuePattern } from '@q/core'
import type { QueueConfig, QueueCounts } from '@q/core/storage'
import type { Reader } from './reader.ts'

/** A queue, and whether it keeps up. */
export interface QueueRow {
  readonly name: string
  readonly ready: number
  readonly active: number
  readonly scheduled: number
  /** Since when its oldest ready job waits. */
  readonly oldestReadyAt: number | undefined
  readonly latencyMs: number
  readonly inPerSecond: number
  readonly outPerSecond: number
  /** How long until it is empty at the present pace; null = never. */
  readonly drainMs: number | null
  readonly paused: QueueConfig['paused']
  readonly maxActive: number | undefined
  readonly rate: QueueConfig['rate']
  /** Servers that listen, silent ones left out. */
  readonly servers: number
  /** Ready jobs and nobody who would take them. */
  readonly isUnserved: boolean
}

const minuteMs = 60_000
/** Rates are those of the last minutes: long enough to be calm, short enough to be true. */
const rateMinutes = 5

/** All queues, the one with the longest wait first. */
export async function readQueueRows(reader: Reader): Promise<readonly QueueRow[]> {
  const [counts, configs, servers] = await Promise.all([reader.counts(), reader.queues(), reader.servers()])
  const to = (Math.floor(counts.at / minuteMs) + 1) * minuteMs
  const from = to - rateMinutes * minuteMs
  const buckets = await reader.series({ by: 'queue', from, to, step: 'minute' })
  const elapsedSeconds = Math.max(1, (counts.at - from) / 1000)
  const byName = new Map(configs.map((config) => [config.name, config]))
  const names = new Set([...Object.keys(counts.byQueue), ...byName.keys()])
  const empty: QueueCounts = { ready: 0, active: 0, scheduled: 0 }
  return [...names]
    .map((name): QueueRow => {
      const own = Object.hasOwn(counts.byQueue, name) ? counts.byQueue[name]! : empty
      const config = byName.get(name)
      const happened = buckets.filter(({ key }) => key === name)
      const inPerSecond = sum(happened.map(({ created, retried }) => created + retried)) / elapsedSeconds
      const outPerSecond = sum(happened.map(({ ok, failed, retried }) => ok + failed + retried)) / elapsedSeconds
      const listening = servers.filter((server) => !server.silent && listensTo(server, name)).length
      const paused = config?.paused ?? undefined
      return {
        name,
        ready: own.ready,
        active: own.active,
        scheduled: own.scheduled,
        oldestReadyAt: own.oldestReadyAt,
        latencyMs: own.oldestReadyAt === undefined ? 0 : Math.max(0, counts.at - own.oldestReadyAt),
        inPerSecond,
        outPerSecond,
        drainMs: drainTime(own.ready, inPerSecond, outPerSecond, paused !== undefined || listening === 0),
        paused,
        maxActive: config?.maxActive ?? undefined,
        rate: config?.rate ?? undefined,
        servers: listening,
        isUnserved: listening === 0 && own.ready > 0,
      }
    })
    .sort((a, b) => b.latencyMs - a.latencyMs || b.ready - a.ready || (a.name < b.name ? -1 : 1))
}

/** What a server has not told is not held against it. */
function listensTo({ info }: ServerView, queue: string): boolean {
  return info === undefined || info.queues.some((pattern) => matchesQueuePattern(pattern, queue))
}

function drainTime(ready: number, inPerSecond: number, outPerSecond: number, isStopped: boolean): number | null {
  if (ready === 0) return 0
  const gain = outPerSecond - inPerSecond
  return isStopped || gain <= 0 ? null : (ready / gain) * 1000
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0)
}
