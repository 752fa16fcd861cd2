import { QError } from '@q/core/storage'

/** What a URL says about a SQLite storage. */
export interface SqliteUrl {
  readonly path: string
  readonly namespace?: string
  readonly durable?: boolean
}

/**
 * Reads `sqlite:app.db`, `sqlite:./data/app.db`, `sqlite:/var/app.db`, `sqlite:///var/app.db`, `sqlite:C:\data\app.db`,
 * `sqlite::memory:` and their like, with `?namespace=…&durable=true`. What could mean two things is refused.
 */
export function parseUrl(url: string): SqliteUrl {
  const match = /^sqlite:(?<slashes>\/*)(?<path>[^?#]*)(?:\?(?<query>[^#]*))?$/i.exec(url)
  if (match?.groups === undefined) throw refuse(url, 'It has to begin with "sqlite:"; write "#" as %23.')
  const { slashes = '', path = '', query } = match.groups
  const file = decode(url, path)
  if (file === '') throw refuse(url, 'It names no file.')
  if (file.includes('\0')) throw refuse(url, 'A file name holds no NUL.')
  if (file.startsWith('~')) throw refuse(url, '"~" is not expanded here: write the folder out.')
  return { path: whole(slashes, file), ...options(url, query) }
}

/** Two slashes are those of a URL; one, or a third, begins an absolute path; a drive is absolute by itself. */
function whole(slashes: string, file: string): string {
  if (file === ':memory:') return file
  const isDrive = /^[a-z]:[\\/]/i.test(file)
  const isAbsolute = slashes.length === 1 || slashes.length > 2
  return isAbsolute && !isDrive ? `/${file}` : file
}

function options(url: string, query: string | undefined): Omit<SqliteUrl, 'path'> {
  const found: { namespace?: string; durable?: boolean } = {}
  for (const [name, value] of new URLSearchParams(query ?? '')) {
    if (name === 'namespace') found.namespace = value
    else if (name === 'durable' && (value === 'true' || value === 'false')) found.durable = value === 'true'
    else throw refuse(url, `"${name}=${value}" is no option: there are namespace=<name> and durable=true|false.`)
  }
  return found
}

function decode(url: string, text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw refuse(url, 'Write "%" as %25.')
  }
}

function refuse(url: string, why: string): QError {
  const cut = url.length > 200 ? `${url.slice(0, 200)}…` : url
  return new QError(
    'Q_OPTION_INVALID',
    `"${cut}" is not the URL of a SQLite storage. ${why} Examples: sqlite:app.db, sqlite:///var/lib/app.db, sqlite::memory:`,
  )
}
