import type { Filter } from './filter.ts'

export interface CaptureContextOptions<Value> {
  /** The name it is kept under, in the job's meta. */
  readonly name: string
  /** What to take along when a job is created; undefined = nothing. Data, like all meta. */
  capture(): Value | undefined
  /** Called around the run with what was taken along. */
  restore(value: Value, run: () => Promise<unknown>): Promise<unknown>
}

/**
 * Carries the caller's context to the handler: locale, tenant, user.
 *
 * @example
 * captureContext({ name: 'tenant', capture: () => tenants.getStore(), restore: (tenant, run) => tenants.run(tenant, run) })
 */
export function captureContext<Value>({ name, capture, restore }: CaptureContextOptions<Value>): Filter {
  return {
    name: `captureContext(${name})`,
    create: (context, next) => {
      const value = capture()
      if (value !== undefined) context.meta[name] = value
      return next()
    },
    perform: (context, next) =>
      Object.hasOwn(context.meta, name) ? restore(context.meta[name] as Value, next) : next(),
  }
}
