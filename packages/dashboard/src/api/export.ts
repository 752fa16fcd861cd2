import type { JobQuery } from '@q/core/storage'
import { Problem } from '../problem.ts'
import { parseSearch } from '../search/parse-search.ts'
import { searchQuery } from '../search/search-query.ts'
import type { Visit } from '../visit.ts'
import { jobJson, type JobJson } from './job-json.ts'

const mostRows = 100_000
const pageSize = 200

export function exportCsv(visit: Visit): Promise<Response> {
  return stream(visit, 'csv', 'text/csv; charset=utf-8', `${csvColumns.join(',')}\r\n`, csvLine)
}

export function exportNdjson(visit: Visit): Promise<Response> {
  return stream(visit, 'ndjson', 'application/x-ndjson', '', (job) => `${JSON.stringify(job)}\n`)
}

/** Page by page, as fast as the receiver reads: a long list is never in memory. */
async function stream(
  visit: Visit,
  extension: string,
  mediaType: string,
  head: string,
  line: (job: JobJson) => string,
): Promise<Response> {
  const query = await readQuery(visit)
  const encoder = new TextEncoder()
  let cursor: string | undefined
  let rows = 0
  let isFirst = true
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      if (isFirst && head !== '') controller.enqueue(encoder.encode(head))
      isFirst = false
      const page =
        query === null
          ? { items: [] }
          : await visit.site.client.monitor.jobs(query, { limit: pageSize, cursor, order: 'newest' })
      rows += page.items.length
      cursor = page.next
      if (page.items.length > 0)
        controller.enqueue(encoder.encode(page.items.map((job) => line(jobJson(visit, job))).join('')))
      if (cursor === undefined || rows >= mostRows) controller.close()
      // A page on which nothing matched brings no bytes, and the stream asks again by itself only when there were some.
      else if (page.items.length === 0) await this.pull!(controller)
    },
  })
  return new Response(body, {
    headers: { 'content-type': mediaType, 'content-disposition': `attachment; filename="jobs.${extension}"` },
  })
}

async function readQuery(visit: Visit): Promise<JobQuery | null> {
  const { search, problems } = parseSearch(visit.query.get('q') ?? '', visit.times.now)
  if (problems.length > 0) throw new Problem(400, 'invalid', problems.join(' '))
  return searchQuery(search, visit.site.reader)
}

const csvColumns = [
  'id',
  'kind',
  'state',
  'queue',
  'priority',
  'attempt',
  'crashes',
  'createdAt',
  'enteredAt',
  'dueAt',
  'waitedMs',
  'ranMs',
  'server',
  'tags',
  'error',
  'reason',
  'preview',
] as const

function csvLine(job: JobJson): string {
  return `${csvColumns.map((column) => csvCell(job[column])).join(',')}\r\n`
}

/** Spreadsheets run what begins like a formula; a quote in front makes it text again. */
function csvCell(value: JobJson[(typeof csvColumns)[number]]): string {
  const text = Array.isArray(value) ? value.join(' ') : value === null || value === undefined ? '' : String(value)
  const harmless = typeof value !== 'number' && /^[=+\-@\t\r\n|%]/.test(text) ? `'${text}` : text
  return /[",\r\n]|^'/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless
}
