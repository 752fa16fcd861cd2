import type { Tables } from './tables.ts'

/** What SQLite binds. Text and bytes keep their kind in columns without a type. */
export type Bound = string | number | Uint8Array | null

/** A statement of ours: its parameters and the row it answers are part of its type. Prepared once per connection. */
export interface Statement<Parameters extends readonly Bound[], Row = never> {
  readonly sql: (tables: Tables) => string
  /** Never set: it carries the types. */
  readonly types?: { readonly parameters: Parameters; readonly row: Row }
}

/** Inserts a fixed number of rows that share what is named. */
export interface RowsStatement<Shared extends object> {
  readonly sql: (tables: Tables) => string
  /** Never set: it carries the type. */
  readonly types?: { readonly shared: Shared }
}

export function statement<Parameters extends readonly Bound[], Row = never>(
  sql: (tables: Tables) => string,
): Statement<Parameters, Row> {
  return { sql }
}

/** `row` writes the values of the row at a place: a question mark for each of its own, names for what all share. */
export function rowsStatement<Shared extends object>(
  count: number,
  head: (tables: Tables) => string,
  row: (place: number) => string,
  tail: string = '',
): RowsStatement<Shared> {
  const values = Array.from({ length: count }, (_, place) => `(${row(place)})`).join(', ')
  return { sql: (tables) => `${head(tables)} values ${values} ${tail}` }
}
