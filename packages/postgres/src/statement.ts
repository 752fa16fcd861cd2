/** One operation: its text once the schema is known, and the types of what goes in and comes out. */
export interface Statement<Values extends readonly unknown[], Row> {
  readonly name: string
  /** `q` is the quoted schema name. */
  readonly text: (q: string) => string
  /** Never there: carries the types. */
  readonly types?: { readonly values: Values; readonly row: Row }
}
