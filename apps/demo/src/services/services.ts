import { Bank } from './bank.ts'
import { Mailer } from './mailer.ts'
import { Supplier } from './supplier.ts'

/** What the jobs work with. The server is given one of each; jobs ask for it with `ctx.use('bank')`. */
export interface Services {
  readonly bank: Bank
  readonly mailer: Mailer
  readonly supplier: Supplier
}

declare module '@q/core' {
  interface Provided extends Services {}
}

export function createServices(): Services {
  return { bank: new Bank(), mailer: new Mailer(), supplier: new Supplier() }
}
