import type { Caller } from './caller.ts'
import { isDirectLoopback } from './local-request.ts'
import type { Permission, Resource, Role } from './permission.ts'
import { isRole, permissions, roleAllows } from './permission.ts'

/** What `authorize` answers for somebody who may come in. */
export interface Grant {
  /** Stands in the history of whatever this person changes. */
  readonly user?: string | undefined
  /** A role, or a rule of your own per permission and resource. */
  readonly can: Role | ((permission: Permission, resource: Resource) => boolean)
}

export interface AuthorizeContext {
  readonly request: Request
  /** The address of the socket, where it is known. */
  readonly remoteAddress: string | undefined
}

/** A grant lets in; a Response (a redirect to your login) is sent as it is; anything else is a no. */
export type Authorize = (context: AuthorizeContext) => Grant | Response | null | Promise<Grant | Response | null>

/** Somebody who may come in. */
export interface Viewer {
  readonly user: string | undefined
  /** No `authorize` is configured: everything is open to this machine. */
  readonly isLocal: boolean
  /** Viewers of the same class see the same pages, so live regions are rendered once for all of them. */
  readonly viewClass: string
  may(permission: Permission, resource: Resource): boolean
}

export type Verdict =
  | { readonly viewer: Viewer }
  | { readonly response: Response }
  /** `closed`: nobody configured access. `denied`: the hook said no. `failed`: it threw, took too long or answered nonsense. */
  | { readonly refused: 'closed' | 'denied' | 'failed'; readonly cause?: unknown }

const longestMs = 5000

/** Asks the hook; without one, only this very machine is let in, and only in development. */
export async function admit(
  request: Request,
  caller: Caller,
  authorize: Authorize | 'none' | undefined,
): Promise<Verdict> {
  if (authorize === 'none') return { viewer: viewerOf({ can: 'admin' }, false) }
  if (authorize === undefined) {
    return isDevelopment() && isDirectLoopback(request.headers, caller)
      ? { viewer: viewerOf({ can: 'admin' }, true) }
      : { refused: 'closed' }
  }
  try {
    const answer: unknown = await withDeadline(
      authorize({ request: withoutBody(request), remoteAddress: caller.address }),
    )
    if (answer instanceof Response) return { response: answer }
    if (answer === null || answer === false) return { refused: 'denied' }
    if (isGrant(answer)) return { viewer: viewerOf(answer, false) }
    return { refused: 'failed', cause: new TypeError('`authorize` answered neither a grant, a Response nor null') }
  } catch (cause) {
    return { refused: 'failed', cause }
  }
}

function isDevelopment(): boolean {
  const mode = process.env['NODE_ENV']
  return mode === undefined || mode === '' || mode === 'development' || mode === 'test'
}

function isGrant(value: unknown): value is Grant {
  if (typeof value !== 'object' || value === null) return false
  const { can, user } = value as Partial<Grant>
  return (typeof can === 'function' || isRole(can)) && (user === undefined || typeof user === 'string')
}

/** The hook reads headers; the body belongs to the route. */
function withoutBody(request: Request): Request {
  return request.body === null
    ? request
    : new Request(request.url, { method: request.method, headers: request.headers })
}

function withDeadline<T>(answer: T | Promise<T>): Promise<T> {
  const late = Promise.withResolvers<T>()
  const timer = setTimeout(() => late.reject(new Error(`\`authorize\` took longer than ${longestMs} ms`)), longestMs)
  return Promise.race([Promise.resolve(answer), late.promise]).finally(() => clearTimeout(timer))
}

function viewerOf({ user, can }: Grant, isLocal: boolean): Viewer {
  if (typeof can === 'string') {
    return { user, isLocal, viewClass: can, may: (permission) => roleAllows(can, permission) }
  }
  const may = (permission: Permission, resource: Resource): boolean => {
    try {
      return can(permission, resource) === true
    } catch {
      // A rule that throws has not said yes.
      return false
    }
  }
  const asked = permissions.map((permission) => (may(permission, { storage: '' }) ? '1' : '0')).join('')
  // A rule may look at the resource, so only the same named user is sure to see the same.
  return { user, isLocal, viewClass: `${asked} ${user ?? crypto.randomUUID()}`, may }
}
