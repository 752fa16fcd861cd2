import { QError } from '@q/core/storage'

const words = [
  'meta',
  'word',
  'queue',
  'job',
  'ready',
  'lease',
  'done',
  'more',
  'history',
  'due',
  'edge',
  'owed',
  'uniq',
  'gate',
  'hold',
  'line',
  'sleeper',
  'session',
  'signal',
  'tag',
  'log',
  'stub',
  'bucket',
  'fault',
  'schedule',
  'run',
  'lock',
] as const

export type Table = (typeof words)[number]
/** Our tables by their short names; every statement is written with these. */
export type Tables = Readonly<Record<Table, string>>

/** Every table of a namespace begins with `q_` or `q_<namespace>_`; no short name has an underscore, so no two namespaces meet. */
export function tablesOf(namespace: string | undefined): Tables {
  const prefix = namespace === undefined ? 'q_' : `q_${ident(namespace)}_`
  return Object.fromEntries(words.map((word) => [word, `${prefix}${word}`])) as Tables
}

/** The one door through which a name becomes part of a statement. */
export function ident(name: string): string {
  if (typeof name === 'string' && /^[a-z_][a-z0-9_]{0,47}$/.test(name)) return name
  throw new QError(
    'Q_OPTION_INVALID',
    `"${String(name).slice(0, 60)}" cannot be a namespace: use at most 48 small letters, digits and underscores, beginning with a letter or an underscore.`,
  )
}
