/** A name as SQL may hold it. The only way any name of ours gets into a statement. */
export function ident(name: string): string {
  if (name.length === 0 || name.includes('\0') || !name.isWellFormed() || Buffer.byteLength(name) > 63) {
    throw new TypeError(`"${name}" cannot name a PostgreSQL schema: between 1 and 63 bytes, without NUL, can`)
  }
  return `"${name.replaceAll('"', '""')}"`
}
