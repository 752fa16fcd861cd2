import type { ZodType } from 'zod'
import { assetPaths } from './assets/serve.ts'
import { renderPage } from './live/render-page.ts'
import { Problem } from './problem.ts'
import type { ApiRoute, Route } from './route.ts'
import { layout } from './views/layout.ts'
import type { Visit } from './visit.ts'

/** Largest body of a request. */
const mostBytes = 1_000_000

export async function respondTo(route: Route, visit: Visit): Promise<Response> {
  switch (route.kind) {
    case 'page': {
      const { page, nav, problem } = await renderPage(route, visit)
      const status = problem?.status ?? page.status ?? 200
      const body = layout(visit, page, nav, assetPaths).toString()
      return new Response(body, { status, headers: { 'content-type': 'text/html; charset=utf-8' } })
    }
    case 'form':
      return route.submit(visit, await readForm(visit.request))
    case 'api':
      return answerApi(route, visit)
    case 'raw':
      return route.respond(visit)
    default:
      return route satisfies never
  }
}

async function answerApi(route: ApiRoute, visit: Visit): Promise<Response> {
  const query = route.query === undefined ? undefined : check(route.query, singleValues(visit.query), 'query')
  const body = route.body === undefined ? undefined : check(route.body, await readJson(visit.request), 'body')
  const answer = await route.answerTo(visit, { query: query as never, body: body as never })
  return new Response(JSON.stringify(answer), {
    status: route.status,
    headers: { 'content-type': 'application/json' },
  })
}

/** A parameter that comes twice is a mistake that would otherwise be decided by chance. */
function singleValues(query: URLSearchParams): Record<string, string> {
  const values: Record<string, string> = Object.create(null) as Record<string, string>
  for (const [name, value] of query) {
    if (name in values) throw new Problem(400, 'invalid', `The parameter ${JSON.stringify(name)} comes more than once.`)
    values[name] = value
  }
  return { ...values }
}

function check(schema: ZodType, value: unknown, what: string): unknown {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  const errors = result.error.issues.slice(0, 20).map(({ path, message }) => ({ path: path.join('.'), message }))
  const first = errors[0]!
  throw new Problem(
    400,
    'invalid',
    `The ${what} is not as it should be: ${first.path === '' ? '' : `${first.path}: `}${first.message}.`,
    { errors },
  )
}

async function readForm(request: Request): Promise<URLSearchParams> {
  demandType(request, 'application/x-www-form-urlencoded')
  return new URLSearchParams(await readText(request))
}

async function readJson(request: Request): Promise<unknown> {
  const text = await readText(request)
  if (text === '') return {}
  demandType(request, 'application/json')
  try {
    return JSON.parse(text)
  } catch {
    throw new Problem(400, 'invalid', 'The body is not JSON.')
  }
}

function demandType(request: Request, wanted: string): void {
  const type = (request.headers.get('content-type') ?? '').split(';')[0]!.trim().toLowerCase()
  if (type !== wanted) throw new Problem(415, 'media-type', `The body must be ${wanted}.`)
}

async function readText(request: Request): Promise<string> {
  if (request.body === null) return ''
  const chunks: Uint8Array[] = []
  let size = 0
  const reader = request.body.getReader()
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    size += part.value.byteLength
    if (size > mostBytes) {
      await reader.cancel()
      throw new Problem(413, 'too-large', `The body is larger than ${mostBytes} bytes.`)
    }
    chunks.push(part.value as Uint8Array)
  }
  return Buffer.concat(chunks).toString('utf8')
}
