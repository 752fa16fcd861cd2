import { QError } from '../errors.ts'
import { scopedKey } from '../jobs/limits.ts'
import type { Duration } from '../schedule/duration.ts'
import { parseDuration } from '../schedule/duration.ts'
import { deleted } from '../states/deleted.ts'
import { failed } from '../states/failed.ts'
import type { Filter } from './filter.ts'

export interface DisableConcurrentExecutionOptions {
  /** What becomes of a job whose key is taken. `wait` (default): set aside and woken on release, at its old place. */
  readonly onBusy?: 'wait' | 'reschedule' | 'delete' | 'fail' | undefined
  /** For `reschedule`. Default '1m'. */
  readonly delay?: Duration | undefined
  /** Keys are those of the job's name unless they are global. Default 'job'. */
  readonly scope?: 'job' | 'global' | undefined
}

/**
 * At most one job with this key runs at any time, over all servers: a shared limit of one, held exactly while the job runs.
 *
 * @example
 * defineJob({ name: 'order.ship', filters: [disableConcurrentExecution('order:{orderId}')], ... })
 */
export function disableConcurrentExecution<Input = never>(
  key: string | ((input: Input) => string),
  options: DisableConcurrentExecutionOptions = {},
): Filter {
  const { onBusy = 'wait', scope = 'job' } = options
  const delayMs = parseDuration(options.delay ?? '1m', 'delay')
  return {
    name: 'disableConcurrentExecution',
    limit: (job) => ({
      key: scopedKey(
        'lock',
        scope === 'global' ? null : job.name,
        typeof key === 'string' ? fillTemplate(key, job.input) : key(job.input as Input),
      ),
      limit: 1,
      busy: onBusy === 'wait' ? 'wait' : 'tell',
    }),
    ...(onBusy === 'wait'
      ? {}
      : {
          busy: ({ holder }) => {
            const reason = `another job with its key is running${holder === null ? '' : `: ${holder}`}`
            if (onBusy === 'delete') return deleted(reason)
            if (onBusy === 'fail') return failed(new QError('Q_CONFLICT', reason), reason)
            return { name: 'scheduled', reason, delayMs }
          },
        }),
  }
}

/** `'order:{orderId}'` with the fields of the input. A field that is not there is a mistake worth a refusal. */
export function fillTemplate(template: string, input: unknown): string {
  return template.replace(/\{([^{}]+)\}/g, (_all, path: string) => {
    let value: unknown = input
    for (const key of path.split('.')) {
      value =
        typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? Reflect.get(value, key) : undefined
    }
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value)
    throw new QError(
      'Q_INPUT_INVALID',
      `The key "${template}" needs the field "${path}", and the input has no text or number there.`,
    )
  })
}
