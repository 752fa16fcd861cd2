import { readQueueRows } from '../reads/queue-rows.ts'
import type { Visit } from '../visit.ts'

/** Labels cost memory in whoever scrapes: the rest of the queues is one label. */
const mostQueues = 200

type Sample = readonly [labels: Readonly<Record<string, string>>, value: number]

/** Figures of now, in the text format of Prometheus. */
export async function prometheus(visit: Visit): Promise<Response> {
  const { reader } = visit.site
  const [counts, queues, servers] = await Promise.all([reader.counts(), readQueueRows(reader), reader.servers()])
  const live = servers.filter(({ silent }) => !silent)
  const byName = [...queues].sort((a, b) => (a.name < b.name ? -1 : 1))
  const perQueue = (value: (queue: (typeof queues)[number]) => number): Sample[] => {
    const samples = byName.slice(0, mostQueues).map((queue): Sample => [{ queue: queue.name }, value(queue)])
    const rest = byName.slice(mostQueues)
    return rest.length === 0
      ? samples
      : [...samples, [{ queue: 'other' }, rest.reduce((sum, queue) => sum + value(queue), 0)]]
  }
  const minute = Math.floor(counts.at / 60_000) * 60_000
  const last = await reader.series({ by: 'queue', from: minute - 60_000, to: minute, step: 'minute' })
  const happened = (pick: 'created' | 'ok' | 'failed' | 'retried'): Sample[] =>
    perQueue(({ name }) => last.filter(({ key }) => key === name).reduce((sum, bucket) => sum + bucket[pick], 0)).map(
      ([labels, value]) => [{ ...labels, event: pick }, value],
    )
  const text = [
    gauge('q_jobs', 'Jobs by state.', [
      ...Object.entries(counts.byPhase).map(([state, value]): Sample => [{ state }, value]),
      [{ state: 'retrying' }, counts.retrying],
    ]),
    gauge(
      'q_queue_ready',
      'Jobs ready to run.',
      perQueue(({ ready }) => ready),
    ),
    gauge(
      'q_queue_active',
      'Jobs running.',
      perQueue(({ active }) => active),
    ),
    gauge(
      'q_queue_scheduled',
      'Jobs for later.',
      perQueue(({ scheduled }) => scheduled),
    ),
    gauge(
      'q_queue_latency_seconds',
      'How long the oldest ready job waits.',
      perQueue(({ latencyMs }) => latencyMs / 1000),
    ),
    gauge(
      'q_queue_paused',
      '1 while the queue is paused.',
      perQueue(({ paused }) => (paused ? 1 : 0)),
    ),
    gauge('q_jobs_last_minute', 'What happened in the last full minute.', [
      ...happened('created'),
      ...happened('ok'),
      ...happened('failed'),
      ...happened('retried'),
    ]),
    gauge('q_servers', 'Servers that are alive.', [[{}, live.length]]),
    gauge('q_slots', 'Jobs that can run at once.', [
      [{}, live.reduce((sum, { info }) => sum + (info?.concurrency ?? 0), 0)],
    ]),
  ].join('')
  return new Response(text, { headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' } })
}

function gauge(name: string, help: string, samples: readonly Sample[]): string {
  const lines = samples.map(([labels, value]) => {
    const inner = Object.entries(labels).map(([key, text]) => `${key}="${escapeLabel(text)}"`)
    return `${name}${inner.length === 0 ? '' : `{${inner.join(',')}}`} ${value}\n`
  })
  return `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${lines.join('')}`
}

function escapeLabel(text: string): string {
  return text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')
}
