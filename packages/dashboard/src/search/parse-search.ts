import { type Duration, parseDuration } from '@q/core'
import { jobStates, type JobStateName } from './job-states.ts'

/** What somebody typed, understood. All terms hold at once; a comma means "or". */
export interface Search {
  readonly states?: readonly JobStateName[] | undefined
  readonly names?: readonly string[] | undefined
  readonly queues?: readonly string[] | undefined
  readonly tags?: readonly string[] | undefined
  readonly error?: string | undefined
  readonly recurring?: string | undefined
  readonly server?: string | undefined
  readonly parent?: string | undefined
  readonly id?: string | undefined
  readonly minAttempt?: number | undefined
  readonly minRanMs?: number | undefined
  readonly minWaitedMs?: number | undefined
  readonly createdAfter?: number | undefined
  readonly createdBefore?: number | undefined
  /** When the present state was entered. */
  readonly enteredAfter?: number | undefined
  readonly enteredBefore?: number | undefined
  readonly text?: string | undefined
}

export interface ParsedSearch {
  readonly search: Search
  /** What could not be understood, in words; such a search finds nothing until it is mended. */
  readonly problems: readonly string[]
}

type Draft = { -readonly [K in keyof Search]: Search[K] }

const longest = 1000

/** `kind:mail.send queue:mail,bulk state:failed attempt:>3 ran:>10s last:24h tag:vip args.plan:pro "out of memory"` */
export function parseSearch(text: string, now: number): ParsedSearch {
  if (text.length > longest) return { search: {}, problems: [`A search has at most ${longest} characters.`] }
  const draft: Draft = {}
  const problems: string[] = []
  const phrases: string[] = []
  const words: string[] = []
  for (const term of terms(text)) {
    if (term.field === undefined) words.push(term.value)
    else if (term.field.startsWith('args.')) phrases.push(jsonPair(term.field, term))
    else readField(draft, term, now, problems, phrases)
  }
  if (words.length > 0) phrases.push(words.join(' '))
  if (phrases.length > 1)
    problems.push(
      `Search for one text at a time: ${phrases.map((phrase) => `“${phrase}”`).join(' and ')} cannot be combined.`,
    )
  if (phrases.length > 0) draft.text = phrases[0]
  return { search: draft, problems }
}

interface Term {
  readonly field: string | undefined
  readonly value: string
  readonly isQuoted: boolean
  readonly isNegated: boolean
}

/** Words, `field:value` and quoted parts, in one pass. */
function* terms(text: string): Iterable<Term> {
  const pattern = /(?:(-?)([A-Za-z][\w.-]*):)?(?:"((?:[^"\\]|\\.)*)"?|(\S+))/g
  for (const [, sign, field, quoted, plain] of text.matchAll(pattern)) {
    const value = quoted?.replace(/\\(.)/gs, '$1') ?? plain ?? ''
    if (value !== '') yield { field, value, isQuoted: quoted !== undefined, isNegated: sign === '-' }
  }
}

/** Lists know the start of the input as JSON, so a pair is looked up as it stands there. */
function jsonPair(field: string, { value, isQuoted }: Term): string {
  const key = field.slice(field.lastIndexOf('.') + 1)
  const isLiteral = !isQuoted && /^(-?\d+(\.\d+)?|true|false|null)$/.test(value)
  return `${JSON.stringify(key)}:${isLiteral ? value : JSON.stringify(value)}`
}

function readField(draft: Draft, term: Term, now: number, problems: string[], phrases: string[]): void {
  const { value, isNegated } = term
  const field = term.field!.toLowerCase()
  const list = term.isQuoted ? [value] : value.split(',').filter((part) => part !== '')
  if (isNegated && field !== 'state') {
    problems.push(`Only states can be left out: “-${field}:” is not known.`)
    return
  }
  switch (field) {
    case 'state':
    case 'is':
      readStates(draft, list, isNegated, problems)
      return
    case 'kind':
    case 'name':
    case 'job':
      draft.names = list
      return
    case 'queue':
      draft.queues = list
      return
    case 'tag':
      draft.tags = list
      return
    case 'error':
      if (/^[0-9a-f]{16}$/.test(value)) draft.error = value
      else phrases.push(value)
      return
    case 'recurring':
    case 'server':
      draft[field] = value
      return
    case 'id':
    case 'parent':
      draft[field] = value.toUpperCase()
      return
    case 'attempt':
    case 'attempts':
      readNumber(draft, value, problems)
      return
    case 'ran':
    case 'waited':
      readSpan(draft, field, value, problems)
      return
    case 'last':
      readLast(draft, value, now, problems)
      return
    case 'created':
    case 'since':
    case 'entered':
      readInstant(draft, field, value, problems)
      return
    default:
      problems.push(`“${field}:” is not a field. Put the text in quotes to search for it as it is.`)
  }
}

function readStates(draft: Draft, list: readonly string[], isNegated: boolean, problems: string[]): void {
  const names: JobStateName[] = []
  for (const name of list) {
    const known = jobStates.find((state) => state === name.toLowerCase())
    if (known === undefined) problems.push(`“${name}” is not a state. The states are ${jobStates.join(', ')}.`)
    else names.push(known)
  }
  const before = draft.states ?? jobStates
  draft.states = isNegated ? before.filter((state) => !names.includes(state)) : names
}

function readNumber(draft: Draft, value: string, problems: string[]): void {
  const match = /^(>=?)?(\d{1,6})$/.exec(value)
  if (match === null) problems.push(`“attempt:${value}” is not understood. Write attempt:>3 or attempt:>=3.`)
  else draft.minAttempt = Number(match[2]) + (match[1] === '>' ? 1 : 0)
}

function readSpan(draft: Draft, field: 'ran' | 'waited', value: string, problems: string[]): void {
  const ms = readDuration(value.replace(/^>=?/, ''))
  if (ms === null) problems.push(`“${field}:${value}” is not a duration. Write ${field}:>10s.`)
  else draft[field === 'ran' ? 'minRanMs' : 'minWaitedMs'] = ms
}

function readLast(draft: Draft, value: string, now: number, problems: string[]): void {
  const ms = readDuration(value)
  if (ms === null) problems.push(`“last:${value}” is not a duration. Write last:24h.`)
  else draft.enteredAfter = now - ms
}

/** `created:>2026-11-20`, `created:<2026-11-21T12:00Z`; without a sign, the whole of that day. */
function readInstant(draft: Draft, field: 'created' | 'since' | 'entered', value: string, problems: string[]): void {
  const match = /^(>=?|<)?(\d{4}-\d{2}-\d{2})(T[\d:.]+Z?)?$/.exec(value)
  const at = match === null ? Number.NaN : instant(match[2]!, match[3])
  if (match === null || Number.isNaN(at)) {
    problems.push(`“${field}:${value}” is not a date. Write ${field}:>2026-11-20 or ${field}:<2026-11-20T12:00Z.`)
    return
  }
  const [after, before] =
    field === 'created' ? (['createdAfter', 'createdBefore'] as const) : (['enteredAfter', 'enteredBefore'] as const)
  if (match[1] === '<') draft[before] = at
  else draft[after] = at
  if (match[1] === undefined && field !== 'since') draft[before] = at + (match[3] === undefined ? 86_400_000 : 60_000)
}

function instant(day: string, time: string | undefined): number {
  return Date.parse(time === undefined ? `${day}T00:00Z` : `${day}${time.endsWith('Z') ? time : `${time}Z`}`)
}

function readDuration(value: string): number | null {
  try {
    return parseDuration(value as Duration, 'duration')
  } catch {
    return null
  }
}
