/** What somebody may do here. Every route names one. */
export type Permission =
  | 'jobs.read'
  | 'jobs.retry'
  | 'jobs.cancel'
  | 'jobs.delete'
  | 'jobs.reschedule'
  | 'queues.pause'
  | 'queues.limit'
  | 'recurring.trigger'
  | 'recurring.pause'
  | 'recurring.edit'
  | 'recurring.remove'

/** `viewer` reads; `operator` also retries, cancels, deletes, pauses and triggers; `admin` also changes limits and schedules. */
export type Role = 'viewer' | 'operator' | 'admin'

/** What a permission is asked for: the fields that the request names. */
export interface Resource {
  readonly storage: string
  readonly job?: string | undefined
  readonly queue?: string | undefined
  readonly recurring?: string | undefined
}

const viewer: readonly Permission[] = ['jobs.read']
const operator: readonly Permission[] = [
  ...viewer,
  'jobs.retry',
  'jobs.cancel',
  'jobs.delete',
  'jobs.reschedule',
  'queues.pause',
  'recurring.trigger',
  'recurring.pause',
]
const admin: readonly Permission[] = [...operator, 'queues.limit', 'recurring.edit', 'recurring.remove']

const byRole: Readonly<Record<Role, ReadonlySet<Permission>>> = {
  viewer: new Set(viewer),
  operator: new Set(operator),
  admin: new Set(admin),
}

export const permissions: readonly Permission[] = admin

export function roleAllows(role: Role, permission: Permission): boolean {
  return Object.hasOwn(byRole, role) && byRole[role].has(permission)
}

export function isRole(value: unknown): value is Role {
  return typeof value === 'string' && Object.hasOwn(byRole, value)
}
