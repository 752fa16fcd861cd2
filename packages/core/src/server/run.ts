import type { Timer } from '../clock.ts'
import { QError } from '../errors.ts'
import type { JobContext, JobLog, Provided } from '../jobs/job-context.ts'
import { decodeMeta } from '../jobs/meta.ts'
import type { BaseClient } from '../client/client-types.ts'
import { cleanText } from '../states/encode-state.ts'
import type { Payload } from '../storage/job.ts'
import type { ClaimedJob, Note } from '../storage/work.ts'
import type { ServerCore } from './server-core.ts'

/** Why a run was told to stop. `lost`: its claim is gone, and nothing it does counts any more. */
export type StopCause = 'cancel' | 'timeout' | 'stopping' | 'lost'

const mostLinesWaiting = 1000

/** One run of one job on this server: from its claim until its handler has settled. Also the context its handler sees. */
export class Run implements JobContext<unknown> {
  readonly claimed: ClaimedJob
  input: unknown
  /** What told it to stop first; null while nobody did. */
  stopped: StopCause | null = null
  /** The words of a cancel. */
  cancelReason: string | undefined
  /** Its end has been handed in, or must not be: whatever the handler still says is dropped. */
  closed = false
  startedAt = 0
  timer: Timer | null = null
  graceTimer: Timer | null = null

  readonly #core: ServerCore
  readonly #onNote: (run: Run) => void
  #controller: AbortController | null = null
  #meta: Readonly<Record<string, unknown>> | null = null
  #items: Map<unknown, unknown> | null = null
  #progress: Payload | undefined
  #lines: Payload[] | null = null
  #nextLine = 1

  constructor(core: ServerCore, claimed: ClaimedJob, onNote: (run: Run) => void) {
    this.#core = core
    this.claimed = claimed
    this.#onNote = onNote
  }

  get id(): string {
    return this.claimed.id
  }

  get name(): string {
    return this.claimed.name
  }

  get queue(): string {
    return this.claimed.queue
  }

  get attempt(): number {
    return this.claimed.attempt
  }

  get crashes(): number {
    return this.claimed.crashes
  }

  get tags(): readonly string[] {
    return this.claimed.tags
  }

  get createdAt(): Date {
    return new Date(this.claimed.createdAt)
  }

  get waitedMs(): number {
    return this.claimed.claimedAt - this.claimed.readyAt
  }

  get recurring(): { readonly id: string; readonly at: Date } | null {
    const { recurring } = this.claimed
    return recurring === undefined ? null : { id: recurring.id, at: new Date(recurring.at) }
  }

  get meta(): Readonly<Record<string, unknown>> {
    return (this.#meta ??= decodeMeta(this.claimed.params, this.#core.wire))
  }

  get items(): Map<unknown, unknown> {
    return (this.#items ??= new Map())
  }

  get client(): BaseClient {
    return this.#core.client
  }

  get signal(): AbortSignal {
    this.#controller ??= new AbortController()
    if (this.stopped !== null) this.#controller.abort(this.#reason(this.stopped))
    return this.#controller.signal
  }

  /** Bound when asked for, so that a handler may pull them out of the context. */
  get log(): JobLog {
    const write = (level: string) => (text: string, fields?: Readonly<Record<string, unknown>>) =>
      this.#write(level, text, fields)
    return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
  }

  get progress(): JobContext<unknown>['progress'] {
    return (value, message) => this.#report(value, message)
  }

  get use(): JobContext<unknown>['use'] {
    return (key) => this.#provided(key)
  }

  /** Tells the handler to stop. The first cause stays the cause, but a lost claim overrules all. */
  stop(cause: StopCause): void {
    if (this.stopped === null || cause === 'lost') this.stopped = cause
    if (cause === 'lost') {
      this.closed = true
      this.dispose()
    }
    this.#controller?.abort(this.#reason(this.stopped))
  }

  /** What is to be noted with the storage, taken out; null when nothing is. */
  takeNote(): Note | null {
    const lines = this.#lines
    if (this.#progress === undefined && lines === null) return null
    const note: Note = {
      id: this.claimed.id,
      token: this.claimed.token,
      progress: this.#progress,
      log: lines === null ? undefined : { from: this.#nextLine - lines.length, lines },
    }
    this.#progress = undefined
    this.#lines = null
    return note
  }

  /** Puts back what could not be sent, unless something newer has taken its place. Lines keep their numbers. */
  returnNote(note: Note): void {
    this.#progress ??= note.progress
    if (note.log !== undefined) this.#lines = [...note.log.lines, ...(this.#lines ?? [])]
  }

  dispose(): void {
    this.timer?.cancel()
    this.graceTimer?.cancel()
    this.timer = null
    this.graceTimer = null
  }

  #report(value: number, message: string | undefined): void {
    if (!(value >= 0 && value <= 1)) {
      throw new RangeError(`progress(${value}) of job ${this.id} ("${this.name}"): a progress is a number from 0 to 1.`)
    }
    if (this.closed) return
    this.#progress = JSON.stringify(message === undefined ? [value] : [value, cleanText(message)])
    this.#onNote(this)
  }

  #provided<Key extends keyof Provided>(key: Key): Provided[Key] {
    if (Object.hasOwn(this.#core.provided, key)) return (this.#core.provided as Provided)[key]
    throw new QError(
      'Q_OPTION_INVALID',
      `Job "${this.name}" asked for "${String(key)}", which this server was not given. Add it to \`provide\` of createServer.`,
    )
  }

  #write(level: string, text: string, fields: Readonly<Record<string, unknown>> | undefined): void {
    if (this.closed) return
    const lines = (this.#lines ??= [])
    if (lines.length >= mostLinesWaiting) return
    lines.push(encodeLine(level, text, fields))
    this.#nextLine++
    this.#onNote(this)
  }

  #reason(cause: StopCause): QError {
    const { id, name } = this.claimed
    switch (cause) {
      case 'cancel':
        return new QError(
          'Q_CANCELLED',
          `Job ${id} ("${name}") was cancelled${this.cancelReason === undefined ? '' : `: ${this.cancelReason}`}.`,
        )
      case 'timeout':
        return new QError('Q_TIMEOUT', `Job ${id} ("${name}") ran longer than its timeout.`)
      case 'stopping':
        return new QError(
          'Q_CANCELLED',
          `Job ${id} ("${name}") is handed back because its server stops; it runs again elsewhere.`,
        )
      case 'lost':
        return new QError(
          'Q_RUN_VOIDED',
          `Job ${id} ("${name}") was taken from this server: its claim is void, and what this run still does is not stored.`,
        )
    }
  }
}

function encodeLine(level: string, text: string, fields: Readonly<Record<string, unknown>> | undefined): string {
  const line = [level, cleanText(text)]
  try {
    return JSON.stringify(fields === undefined ? line : [...line, fields])
  } catch {
    // A log line is never worth failing the job for: its fields may be anything.
    return JSON.stringify(line)
  }
}
