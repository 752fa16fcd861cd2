import { QError } from '../errors.ts'
import type { Handler, JobDefinition } from '../jobs/define-job.ts'

/** A job this server can run. */
export interface RegisteredJob {
  readonly definition: JobDefinition<never, unknown>
  readonly run: Handler<never, unknown>
}

/**
 * What a server knows, by name. A map and never an import: what stands in a storage can only choose among what the
 * program registered.
 */
export class JobRegistry {
  readonly #jobs = new Map<string, RegisteredJob>()
  readonly #unhandled = new Map<string, JobDefinition<never, unknown>>()
  #known: readonly string[] | null = null

  add(definition: JobDefinition<never, unknown>): void {
    const known = this.#jobs.get(definition.name)?.definition ?? this.#unhandled.get(definition.name)
    if (known !== undefined && known !== definition) {
      throw new QError(
        'Q_OPTION_INVALID',
        `Two different definitions are called "${definition.name}". A job's name is its identity: give one of them another name.`,
      )
    }
    this.#known = null
    const run = definition.options.run
    if (run === undefined) this.#unhandled.set(definition.name, definition)
    else this.#jobs.set(definition.name, { definition, run: run as Handler<never, unknown> })
  }

  handle(definition: JobDefinition<never, unknown>, run: Handler<never, unknown>): void {
    if (typeof run !== 'function') {
      throw new QError(
        'Q_OPTION_INVALID',
        `The handler of job "${definition.name}" is ${run === null ? 'null' : typeof run}, not a function.`,
      )
    }
    this.#unhandled.delete(definition.name)
    this.#known = null
    this.#jobs.set(definition.name, { definition, run })
  }

  /** Null for a job that nobody here knows, or that a newer program made. */
  find(name: string, version: number): RegisteredJob | null {
    const job = this.#jobs.get(name)
    return job !== undefined && knows(job.definition, version) ? job : null
  }

  /** Jobs that were given to the server but that nobody attached work to. */
  unhandled(): readonly string[] {
    return [...this.#unhandled.keys()]
  }

  /** 'name@version' of everything that can be run, older versions included where there is a way up. */
  known(): readonly string[] {
    // Asked for in many claims, and changed by nobody once the server runs.
    return (this.#known ??= [...this.#jobs.values()].flatMap(({ definition }) => {
      const versions = Array.from({ length: definition.version }, (_, index) => index + 1)
      return versions.filter((version) => knows(definition, version)).map((version) => `${definition.name}@${version}`)
    }))
  }

  /** The queues its jobs are put into by themselves. */
  queues(): readonly string[] {
    return [...new Set([...this.#jobs.values()].map(({ definition }) => definition.queue))]
  }
}

/** A version is known when it is the present one, or when upgrades lead from it to the present one. */
function knows(definition: JobDefinition<never, unknown>, version: number): boolean {
  if (version === definition.version) return true
  if (version > definition.version) return false
  const upgrade = definition.options.upgrade
  for (let from = version; from < definition.version; from++) {
    if (upgrade === undefined || !Object.hasOwn(upgrade, from)) return false
  }
  return true
}
