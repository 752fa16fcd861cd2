/** Every code the core can throw. Adapters add none: they map their driver's errors to the four storage codes. */
export type QErrorCode =
  | 'Q_STORAGE_UNAVAILABLE'
  | 'Q_AMBIGUOUS'
  | 'Q_SESSION_LOST'
  | 'Q_CALL_CLOSED'
  | 'Q_STORAGE_UNSUPPORTED'
  | 'Q_STORAGE_UNKNOWN'
  | 'Q_JOB_NOT_FOUND'
  | 'Q_JOB_FAILED'
  | 'Q_JOB_DELETED'
  | 'Q_JOB_LOAD'
  | 'Q_INPUT_INVALID'
  | 'Q_NOT_SERIALIZABLE'
  | 'Q_PAYLOAD_TOO_LARGE'
  | 'Q_UNKNOWN_JOB'
  | 'Q_UNKNOWN_PARENT'
  | 'Q_CYCLE'
  | 'Q_NAME_INVALID'
  | 'Q_ID_INVALID'
  | 'Q_OPTION_INVALID'
  | 'Q_CRON_INVALID'
  | 'Q_TIMEOUT'
  | 'Q_LOCK_BUSY'
  | 'Q_LOCK_LOST'
  | 'Q_CLOSED'
  | 'Q_NO_DEFAULT_CLIENT'
  | 'Q_RUN_VOIDED'
  | 'Q_CANCELLED'
  | 'Q_CONFLICT'

/** A string and not a symbol of ours, so that a copy of this package finds it too. */
const kinds = '~q.error.kinds'

/**
 * The one error class of the framework. Decide on `code`, never on the text: the message is for people, and says what
 * happened to which job and what to do next. `instanceof` works across copies of the package.
 */
export class QError extends Error {
  static readonly kind: string = 'QError'
  readonly code: QErrorCode
  readonly '~q.error.kinds': readonly string[]

  constructor(code: QErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.name = new.target.kind
    this.code = code
    this[kinds] = kindsOf(new.target)
    Object.defineProperty(this, kinds, { enumerable: false })
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && readKinds(value).includes(this.kind)
  }
}

/** A job that somebody awaits ended in `failed`. `cause` is the error its last run threw. */
export class JobFailedError extends QError {
  static override readonly kind: string = 'JobFailedError'
  readonly jobId: string

  constructor(jobId: string, message: string, options?: { readonly cause?: unknown }) {
    super('Q_JOB_FAILED', message, options)
    this.jobId = jobId
  }
}

/** A job that somebody awaits was deleted or cancelled before it had a result. */
export class JobDeletedError extends QError {
  static override readonly kind: string = 'JobDeletedError'
  readonly jobId: string
  readonly reason: string | undefined

  constructor(jobId: string, message: string, reason?: string) {
    super('Q_JOB_DELETED', message)
    this.jobId = jobId
    this.reason = reason
  }
}

/** What is stored of a job cannot be turned into its input again: an unreadable payload, or no way up from its version. */
export class JobLoadError extends QError {
  static override readonly kind: string = 'JobLoadError'
  readonly jobId: string

  constructor(jobId: string, message: string, options?: { readonly cause?: unknown }) {
    super('Q_JOB_LOAD', message, options)
    this.jobId = jobId
  }
}

/** True for every error of the framework, also one made by another copy of the package. */
export function isQError(value: unknown, code?: QErrorCode): value is QError {
  return value instanceof QError && (code === undefined || value.code === code)
}

function kindsOf(target: typeof QError): readonly string[] {
  const names: string[] = []
  for (let type: unknown = target; type !== Error && typeof type === 'function'; type = Object.getPrototypeOf(type)) {
    names.push((type as typeof QError).kind)
  }
  return names
}

function readKinds(value: object): readonly string[] {
  const names: unknown = Reflect.get(value, kinds)
  return Array.isArray(names) ? names : []
}
