/** What leaves the process is cleaned here: pages, API, events and exports alike. */
export interface RedactOptions {
  /** More keys whose values are hidden: a text matches anywhere in the key, case and separators do not count. */
  readonly keys?: readonly (string | RegExp)[] | undefined
  /** Has the last word on every value that the keys let pass. */
  readonly value?: ((value: unknown, path: readonly string[]) => unknown) | undefined
}

export interface Redactor {
  /** Data, walked through. `secrets` collects the texts that were hidden. */
  data(value: unknown, secrets?: Set<string>): unknown
  /** The start of a JSON text, cut anywhere. */
  preview(text: string): string
  /** A sentence: a message, a stack, a log line. `secrets` are hidden wherever they stand. */
  text(text: string, secrets?: ReadonlySet<string>): string
}

export const hidden = '[redacted]'

const alwaysHidden: readonly string[] = [
  'password',
  'passwd',
  'passphrase',
  'secret',
  'token',
  'authorization',
  'cookie',
  'apikey',
  'privatekey',
  'accesskey',
  'credential',
]

const deepest = 100

export function createRedactor(options: RedactOptions | false | undefined): Redactor {
  if (options === false) return { data: (value) => value, preview: (text) => text, text: (text) => text }
  const isHidden = keyTest(options?.keys ?? [])
  const last = options?.value
  const walk = (value: unknown, path: readonly string[], secrets: Set<string> | undefined): unknown => {
    if (path.length > deepest) return '[too deep to show]'
    const seen = last === undefined ? value : last(value, path)
    if (typeof seen !== 'object' || seen === null) return seen
    if (Array.isArray(seen)) return seen.map((item, index) => walk(item, [...path, String(index)], secrets))
    if (seen instanceof Map) return walk(Object.fromEntries(mapEntries(seen)), path, secrets)
    if (seen instanceof Set) return walk([...seen], path, secrets)
    if (Object.getPrototypeOf(seen) !== Object.prototype && Object.getPrototypeOf(seen) !== null) return seen
    const clean: Record<string, unknown> = Object.create(null) as Record<string, unknown>
    for (const [key, item] of Object.entries(seen)) {
      if (isHidden(key)) collect(item, secrets)
      clean[key] = isHidden(key) ? hidden : walk(item, [...path, key], secrets)
    }
    return clean
  }
  return {
    data: (value, secrets) => walk(value, [], secrets),
    preview: (text) => redactJsonText(text, isHidden),
    text: (text, secrets) => redactSentence(text, isHidden, secrets),
  }
}

function* mapEntries(map: ReadonlyMap<unknown, unknown>): Iterable<[string, unknown]> {
  for (const [key, value] of map) yield [String(key), value]
}

/** Shorter texts stand in too many other words. */
const shortestSecret = 4

/** What was hidden in one place may be repeated in another: an error that quotes the password it was given. */
function collect(value: unknown, secrets: Set<string> | undefined): void {
  if (secrets === undefined) return
  if (typeof value === 'string' || typeof value === 'number') {
    if (String(value).length >= shortestSecret) secrets.add(String(value))
  }
  if (typeof value === 'object' && value !== null) for (const item of Object.values(value)) collect(item, secrets)
}

type KeyTest = (key: string) => boolean

function keyTest(own: readonly (string | RegExp)[]): KeyTest {
  const parts = [...alwaysHidden, ...own.filter((key) => typeof key === 'string')].map(normalise)
  const patterns = own.filter((key) => key instanceof RegExp)
  const known = new Map<string, boolean>()
  return (key) => {
    let answer = known.get(key)
    if (answer !== undefined) return answer
    const plain = normalise(key)
    answer = plain === 'pass' || plain === 'pwd' || parts.some((part) => plain.includes(part))
    answer ||= patterns.some((pattern) => new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, '')).test(key))
    if (known.size < 5000) known.set(key, answer)
    return answer
  }
}

/** `Api-Key`, `api_key` and `ａｐｉＫｅｙ` are one key. */
function normalise(key: string): string {
  return key
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[\s_.\-\p{Cf}]/gu, '')
}

/** Walks the text of a JSON value, whole or cut, and hides what stands behind a hidden key. */
function redactJsonText(text: string, isHidden: KeyTest): string {
  const keys = /"((?:[^"\\]|\\.)*)"\s*:\s*/gs
  let clean = ''
  let from = 0
  for (let match = keys.exec(text); match !== null; match = keys.exec(text)) {
    if (!isHidden(unquote(match[1]!))) continue
    const start = match.index + match[0].length
    const end = endOfValue(text, start)
    clean += `${text.slice(from, start)}"${hidden}"`
    from = end
    keys.lastIndex = end
  }
  return clean + text.slice(from)
}

function unquote(inside: string): string {
  try {
    return String(JSON.parse(`"${inside}"`))
  } catch {
    return inside
  }
}

/** Where the value that starts here ends; the end of the text when it was cut before. */
function endOfValue(text: string, start: number): number {
  let depth = 0
  for (let at = start; at < text.length; at++) {
    const char = text[at]!
    if (char === '"') {
      at = endOfString(text, at) - 1
      if (depth === 0) return at + 1
    } else if (char === '{' || char === '[') depth++
    else if (char === '}' || char === ']') {
      if (depth === 0) return at
      if (--depth === 0) return at + 1
    } else if (char === ',' && depth === 0) return at
  }
  return text.length
}

function endOfString(text: string, quote: number): number {
  for (let at = quote + 1; at < text.length; at++) {
    if (text[at] === '\\') at++
    else if (text[at] === '"') return at + 1
  }
  return text.length
}

/** `password=…`, `token: …`, `Bearer …`, and the credentials in an address. */
function redactSentence(text: string, isHidden: KeyTest, secrets: ReadonlySet<string> | undefined): string {
  let clean = redactPairs(redactJsonText(text, isHidden), isHidden)
    .replace(/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]*:)[^\s@/]+@/gi, `$1${hidden}@`)
    .replace(/\b(Bearer|Basic)\s+(?!\[)[\w+/=.~-]{4,}/g, `$1 ${hidden}`)
  for (const secret of secrets ?? []) clean = clean.replaceAll(secret, hidden)
  return clean
}

/** Pairs in running text. A value that is no secret is looked into again: in `failed: token=…` it holds one. */
function redactPairs(text: string, isHidden: KeyTest): string {
  const keys = /([\w.-]{3,64})\s?[=:]\s?/g
  const value = /(?!\[redacted\]|"|Bearer |Basic )[^\s,;&"')\]}]+/y
  let clean = ''
  let from = 0
  for (let match = keys.exec(text); match !== null; match = keys.exec(text)) {
    if (!isHidden(match[1]!)) continue
    value.lastIndex = keys.lastIndex
    const found = value.exec(text)
    if (found === null) continue
    clean += text.slice(from, found.index) + hidden
    from = value.lastIndex
    keys.lastIndex = from
  }
  return clean + text.slice(from)
}
