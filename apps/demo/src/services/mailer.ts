import { happens, takeTime } from './take-time.ts'

export interface Mail {
  readonly to: string
  readonly subject: string
}

export class GreylistedError extends Error {
  override readonly name = 'GreylistedError'
}

/** A mail server that likes to be asked twice. */
export class Mailer {
  async send({ to }: Mail, signal: AbortSignal): Promise<string> {
    await takeTime(120, 700, signal)
    if (happens(0.15)) {
      throw new GreylistedError(`451 4.7.1 Greylisted, try again later (${to.slice(to.indexOf('@'))})`)
    }
    return `<${crypto.randomUUID()}@halflight.example>`
  }
}
