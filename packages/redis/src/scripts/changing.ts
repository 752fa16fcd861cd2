import { base } from './parts/base.ts'
import { ends } from './parts/ends.ts'
import { entered } from './parts/entered.ts'
import { gates } from './parts/gates.ts'
import { ledger } from './parts/ledger.ts'
import { places } from './parts/places.ts'
import { record } from './parts/record.ts'

/** What every script begins with that changes jobs. */
export const changing: readonly string[] = [base, record, entered, ledger, places, gates, ends]
