import type { Tables } from './tables.ts'

/** What SQLite binds. Text and bytes keep their kind in columns without a type. */
export type Bound = string | number | Uint8Array | null

/** A statement of ours: its parameters and the row it answers are part of its type. Prepared once per connection. */
export interface Statement<Parameters extends readonly Bound[], Row = never> {
  readonly sql: (tables: Tables) => string
  /** Never set: it carries the types. */
  readonly types?: { readonly parameters: Parameters; readonly row: Row }
}

export function statement<Parameters extends readonly Bound[], Row = never>(
  sql: (tables: Tables) => string,
): Statement<Parameters, Row> {
  return { sql }
}
