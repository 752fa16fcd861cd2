import { base } from './parts/base.ts'
import { books } from './parts/books.ts'
import { ends } from './parts/ends.ts'
import { entered } from './parts/entered.ts'
import { gates } from './parts/gates.ts'
import { ledger } from './parts/ledger.ts'
import { places } from './parts/places.ts'
import { record } from './parts/record.ts'

/** The ledger and what the moves of jobs are made of. */
export const moves: readonly string[] = [record, entered, ledger, places, gates, ends]

/** What every script begins with that changes jobs. */
export const changing: readonly string[] = [base, books, ...moves]
