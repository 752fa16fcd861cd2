import type { Visit } from '../visit.ts'

/** Says that it works or not, and nothing else: probes need no more, and strangers should get no more. */
export async function health(visit: Visit): Promise<Response> {
  try {
    await visit.site.reader.counts()
    return Response.json({ status: 'ok' })
  } catch {
    return Response.json({ status: 'unavailable' }, { status: 503 })
  }
}
