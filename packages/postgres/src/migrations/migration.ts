/** One step of the schema. Steps are only ever added: servers of an older release go on running on the newer schema. */
export interface Migration {
  readonly id: string
  /** `q` is the quoted schema name. */
  readonly sql: (q: string) => string
}
