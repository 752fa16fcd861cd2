import type { ZodType } from 'zod'
import type { Permission, Resource } from './access/permission.ts'
import type { Page } from './views/page.ts'
import type { Visit } from './visit.ts'

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

interface Common {
  readonly method: Method
  /** Inside the site, with `:names`. */
  readonly path: string
  /** Without it, nobody comes further. */
  readonly permission: Permission
  /** What it does, in a sentence. */
  readonly summary: string
}

/** Something to look at. */
export interface PageRoute extends Common {
  readonly kind: 'page'
  readonly method: 'GET'
  show(visit: Visit): Promise<Page>
}

/** Sent by a form of a page; goes back to a page. */
export interface FormRoute extends Common {
  readonly kind: 'form'
  readonly method: 'POST'
  submit(visit: Visit, fields: URLSearchParams): Promise<Response>
}

/** For programs. Its answers are JSON of the described shape. */
export interface ApiRoute extends Common {
  readonly kind: 'api'
  readonly query?: ZodType | undefined
  readonly body?: ZodType | undefined
  readonly answer: ZodType
  readonly status: 200 | 201 | 202
  answerTo(visit: Visit, input: ApiInput<never, never>): Promise<unknown>
}

/** Answers by itself: streams, texts, files. */
export interface RawRoute extends Common {
  readonly kind: 'raw'
  readonly mediaType: string
  respond(visit: Visit): Promise<Response>
}

export type Route = PageRoute | FormRoute | ApiRoute | RawRoute

export interface ApiInput<Query, Body> {
  readonly query: Query
  readonly body: Body
}

export function page(
  path: string,
  summary: string,
  show: PageRoute['show'],
  permission: Permission = 'jobs.read',
): PageRoute {
  return { kind: 'page', method: 'GET', path, permission, summary, show }
}

export function form(path: string, permission: Permission, summary: string, submit: FormRoute['submit']): FormRoute {
  return { kind: 'form', method: 'POST', path, permission, summary, submit }
}

interface ApiOptions<Query, Body, Answer> {
  readonly method?: Method
  readonly path: string
  readonly permission?: Permission
  readonly summary: string
  readonly query?: ZodType<Query>
  readonly body?: ZodType<Body>
  readonly answer: ZodType<Answer>
  readonly status?: ApiRoute['status']
  readonly answerTo: (visit: Visit, input: ApiInput<Query, Body>) => Promise<Answer>
}

/** Ties what a handler takes and gives to what is written down about it. */
export function api<Answer, Query = undefined, Body = undefined>(options: ApiOptions<Query, Body, Answer>): ApiRoute {
  const { method = 'GET', permission = 'jobs.read', status = 200, answerTo, ...rest } = options
  return { kind: 'api', method, permission, status, ...rest, answerTo: answerTo as ApiRoute['answerTo'] }
}

export function raw(path: string, mediaType: string, summary: string, respond: RawRoute['respond']): RawRoute {
  return { kind: 'raw', method: 'GET', path, permission: 'jobs.read', summary, mediaType, respond }
}

/** What the path of a request names, for rules that look at it. */
export function resourceOf(path: string, params: Readonly<Record<string, string>>): Partial<Resource> {
  const { id, name } = params
  if (path.includes('/jobs/:id')) return { job: id }
  if (path.includes('/queues/:name')) return { queue: name }
  if (path.includes('/recurring/:id')) return { recurring: id }
  return {}
}
