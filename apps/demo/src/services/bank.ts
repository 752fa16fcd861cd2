import { happens, takeTime } from './take-time.ts'

/** Nobody answered: worth another try. */
export class BankUnreachableError extends Error {
  override readonly name = 'BankUnreachableError'
}

export interface Payment {
  readonly approved: boolean
  readonly reference: string
}

/** A payment service as they are: mostly quick, sometimes away, now and then a card without money. */
export class Bank {
  async charge(card: string, cents: number, signal: AbortSignal): Promise<Payment> {
    await takeTime(250, 1400, signal)
    this.#connect()
    return { approved: !happens(0.05), reference: `B-${card.length}${cents}-${Date.now().toString(36).toUpperCase()}` }
  }

  #connect(): void {
    if (happens(0.12)) {
      throw new BankUnreachableError('The bank did not answer.', {
        cause: new Error('connect ETIMEDOUT 192.0.2.17:443'),
      })
    }
  }
}
