/** For the inside of a string of SQL. */
export function literal(text: string): string {
  return text.replaceAll("'", "''")
}
