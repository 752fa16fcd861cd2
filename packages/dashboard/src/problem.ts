import { isQError } from '@q/core'

/** An answer that is a refusal: for programs as `application/problem+json`, for people as a page. */
export class Problem extends Error {
  readonly status: number
  readonly code: string
  readonly details: Readonly<Record<string, unknown>>

  constructor(status: number, code: string, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message)
    this.name = 'Problem'
    this.status = status
    this.code = code
    this.details = details
  }

  toResponse(): Response {
    const body = {
      type: 'about:blank',
      title: titles[this.status] ?? 'Error',
      status: this.status,
      code: this.code,
      detail: this.message,
      ...this.details,
    }
    return new Response(JSON.stringify(body), {
      status: this.status,
      headers: { 'content-type': 'application/problem+json' },
    })
  }
}

const titles: Readonly<Record<number, string>> = {
  400: 'Bad request',
  403: 'Forbidden',
  404: 'Not found',
  405: 'Method not allowed',
  409: 'Conflict',
  413: 'Content too large',
  415: 'Unsupported media type',
  421: 'Misdirected request',
  429: 'Too many requests',
  500: 'Internal error',
  503: 'Storage unavailable',
}

const statusOf: Readonly<Record<string, number>> = {
  Q_JOB_NOT_FOUND: 404,
  Q_ID_INVALID: 400,
  Q_OPTION_INVALID: 400,
  Q_NAME_INVALID: 400,
  Q_CRON_INVALID: 400,
  Q_INPUT_INVALID: 400,
  Q_CONFLICT: 409,
  Q_STORAGE_UNAVAILABLE: 503,
  Q_AMBIGUOUS: 503,
  Q_TIMEOUT: 503,
  Q_CLOSED: 503,
}

/** Errors of the core say what happened; of anything else nothing leaves the process. */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error
  if (isQError(error)) {
    const status = statusOf[error.code] ?? 500
    return new Problem(status, error.code, status < 500 ? error.message : storageMessage(error.code))
  }
  return new Problem(500, 'internal', 'This went wrong in the dashboard itself. The log of the application says more.')
}

function storageMessage(code: string): string {
  if (code === 'Q_AMBIGUOUS')
    return 'The storage did not answer clearly: the change may or may not have been made. Look again before you repeat it.'
  return 'The storage does not answer. Nothing was changed.'
}
