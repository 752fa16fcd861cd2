import type { Logger } from '@q/core'
import type { Visit } from '../visit.ts'

/** What somebody did, or was not let do. */
export interface AuditEvent {
  readonly at: Date
  readonly user: string | undefined
  readonly storage: string | undefined
  /** `job.retry`, `queue.pause`, `operation.delete`, …; `refused` when nothing was done. */
  readonly action: string
  /** The job, queue, recurring job or operation it was about; the path of what was refused. */
  readonly target: string
  readonly reason?: string | undefined
  /** The search a bulk operation went by. */
  readonly search?: string | undefined
  /** How many jobs were changed. */
  readonly count?: number | undefined
  readonly outcome: 'done' | 'unchanged' | 'refused'
}

/** Tells the application. An observer that throws is reported, never obeyed. */
export class AuditLog {
  readonly #observe: ((event: AuditEvent) => void) | undefined
  readonly #logger: Logger

  constructor(observe: ((event: AuditEvent) => void) | undefined, logger: Logger) {
    this.#observe = observe
    this.#logger = logger
  }

  done(visit: Visit, event: Pick<AuditEvent, 'action' | 'target' | 'reason' | 'search' | 'count' | 'outcome'>): void {
    this.#tell({ at: new Date(), user: visit.viewer.user, storage: visit.site.name, ...event })
  }

  refused({
    path,
    reason,
    user,
  }: {
    readonly request: Request
    readonly path: string
    readonly reason: string
    readonly user?: string | undefined
  }): void {
    this.#tell({
      at: new Date(),
      user,
      storage: undefined,
      action: 'refused',
      target: path.slice(0, 500),
      reason,
      outcome: 'refused',
    })
  }

  #tell(event: AuditEvent): void {
    try {
      this.#observe?.(event)
    } catch (error) {
      this.#logger.error('onAudit threw', { error: String(error) })
    }
  }
}
