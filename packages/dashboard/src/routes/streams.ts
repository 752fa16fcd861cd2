import { exportCsv, exportNdjson } from '../api/export.ts'
import { health } from '../api/health.ts'
import { prometheus } from '../api/prometheus.ts'
import { rawInput, rawResult } from '../api/raw-data.ts'
import { openEvents } from '../live/events.ts'
import { type Route, raw } from '../route.ts'

export const streams: readonly Route[] = [
  raw('/events', 'text/event-stream', 'What changes on a page, as it changes.', openEvents),
  raw('/healthz', 'application/json', 'Whether the storage answers.', health),
  raw('/api/metrics', 'text/plain', 'Figures for Prometheus.', prometheus),
  raw('/api/v1/jobs/:id/input', 'application/json', 'The whole input of a job.', rawInput),
  raw('/api/v1/jobs/:id/result', 'application/json', 'The whole result of a job.', rawResult),
  raw('/api/v1/export/jobs.csv', 'text/csv', 'The jobs of a search as CSV.', exportCsv),
  raw(
    '/api/v1/export/jobs.ndjson',
    'application/x-ndjson',
    'The jobs of a search, one JSON object a line.',
    exportNdjson,
  ),
]
