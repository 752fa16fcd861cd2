import type { JobDetails } from '@q/core'
import { Problem } from '../problem.ts'
import { toText } from '../views/data.ts'
import type { Visit } from '../visit.ts'

/** What a page shows the start of, whole: cleaned like everything else. */
export function rawInput(visit: Visit): Promise<Response> {
  return whole(visit, ({ input }) => input)
}

export function rawResult(visit: Visit): Promise<Response> {
  return whole(visit, ({ result }) => result)
}

async function whole(visit: Visit, pick: (job: JobDetails) => unknown): Promise<Response> {
  const id = visit.params['id']!
  const job = await visit.site.reader.job(id)
  if (job === null)
    throw new Problem(404, 'Q_JOB_NOT_FOUND', 'There is no such job: it never existed, or its retention has ended.')
  return new Response(toText(visit.redact.data(pick(job))) ?? 'null', {
    headers: { 'content-type': 'application/json' },
  })
}
