import type { Permission, Resource } from './access/permission.ts'
import type { Viewer } from './access/grant.ts'
import type { AuditLog } from './commands/audit.ts'
import type { PageRoute } from './route.ts'
import type { Redactor } from './redact.ts'
import type { Site } from './site.ts'
import type { Times } from './views/time.ts'

/** One request of somebody who may come in: what every page and every answer is made from. */
export interface Visit {
  readonly request: Request
  /** Inside the site: `/jobs/01J…`. */
  readonly path: string
  readonly query: URLSearchParams
  readonly params: Readonly<Record<string, string>>
  readonly site: Site
  /** All storages of this dashboard, when there are several. */
  readonly sites: readonly string[]
  readonly viewer: Viewer
  readonly isReadOnly: boolean
  readonly redact: Redactor
  readonly audit: AuditLog
  readonly times: Times
  readonly theme: Theme
  /** Whether this may be done, by this viewer, in this dashboard. */
  may(permission: Permission, resource?: Partial<Resource>): boolean
  /** The page at another address of this site. */
  pageAt(path: string): { readonly route: PageRoute; readonly params: Readonly<Record<string, string>> } | null
  /** A link that holds wherever the dashboard is mounted, because it starts from this page. */
  to(path: string): string
}

export type Theme = 'light' | 'dark' | 'system'

/** From one page of the site to another, without knowing where the site is. */
export function relativeLink(from: string, to: string): string {
  const depth = from.split('/').length - 2
  const target = to.replace(/^\//, '')
  return depth === 0 ? `./${target}` : `${'../'.repeat(depth)}${target}`
}

/** A name as one segment of a path. */
export function segment(name: string): string {
  return encodeURIComponent(name)
}
