import type { Gate, NewJob, Payload, Phase, Rate, StateInput } from './job.ts'
import type { Transition } from './jobs.ts'

const idPattern = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/
const firstPhases: readonly Phase[] = ['ready', 'scheduled', 'awaiting']

/** True for the 26 characters a storage accepts as a job id. */
export function isJobId(text: string): boolean {
  return idPattern.test(text)
}

export function payloadBytes(payload: Payload): number {
  return typeof payload === 'string' ? Buffer.byteLength(payload) : payload.byteLength
}

/** Why a storage cannot store this job, or null. Every adapter asks this before it sends anything, so that all answer `invalid` alike. */
export function whyInvalidJob(job: NewJob, maxPayload: number): string | null {
  return (
    (isJobId(job.id) ? null : `"${cut(job.id)}" is not a job id: 26 characters of Crockford base32 are`) ??
    whyInvalidFixedName('queue', job.queue) ??
    whyInvalidFixedName('name', job.name) ??
    whyInvalidWhole('version', job.version, 0, 2 ** 31 - 1) ??
    whyInvalidPayload(job.payload, maxPayload) ??
    whyInvalidWhole('priority', job.priority, 0, 65_535) ??
    (firstPhases.includes(job.state.phase) ? null : `a job cannot be created in phase "${job.state.phase}"`) ??
    (job.state.phase === 'awaiting' && !job.after?.length ? 'an awaiting job needs a parent to wait for' : null) ??
    (job.state.phase !== 'awaiting' && job.after?.length ? 'only an awaiting job can have parents' : null) ??
    (job.state.phase === 'scheduled' && job.delay === undefined && job.at === undefined
      ? 'a scheduled job needs a delay or an instant'
      : null) ??
    (job.after?.some((edge) => edge.parent === job.id) ? 'a job cannot wait for itself' : null) ??
    whyInvalidState(job.state, maxPayload) ??
    whyInvalidTimes(job) ??
    (job.gates && job.gates.length > 4 ? 'a job has at most four gates' : null) ??
    firstOf(job.gates, whyInvalidGate) ??
    (job.unique ? whyInvalidName('unique key', job.unique.key) : null) ??
    (job.preview !== undefined && Buffer.byteLength(job.preview) > 256 ? 'a preview has at most 256 bytes' : null) ??
    firstOf(job.tags, whyInvalidTag) ??
    whyInvalidWhole('crashLimit', job.crashLimit, 1, 2 ** 31 - 1)
  )
}

/** Why a storage cannot apply this transition, whatever the job; or null. */
export function whyInvalidTransition(change: Transition, maxPayload: number): string | null {
  return (
    (change.token === undefined && change.from === undefined
      ? 'a command needs the phases it expects (`from`)'
      : null) ??
    (change.to.phase === 'active' ? 'only a claim makes a job active' : null) ??
    (change.to.phase === 'awaiting' ? 'a job is awaiting from its creation or not at all' : null) ??
    (change.to.phase === 'parked' && change.parkedFor === undefined ? 'a parked job needs `parkedFor`' : null) ??
    (change.queue === undefined ? null : whyInvalidFixedName('queue', change.queue)) ??
    whyInvalidWhole('priority', change.priority, 0, 65_535) ??
    whyInvalidState(change.to, maxPayload) ??
    firstOf(change.via, (state) => whyInvalidState(state, maxPayload)) ??
    whyInvalidTimes(change)
  )
}

function whyInvalidState(state: StateInput, maxPayload: number): string | null {
  return (
    whyInvalidFixedName('state', state.name) ??
    (state.data === undefined ? null : whyInvalidPayload(state.data, maxPayload)) ??
    (state.error && Buffer.byteLength(state.error.preview) > 200 ? 'an error preview has at most 200 bytes' : null)
  )
}

function whyInvalidPayload(payload: Payload, maxPayload: number): string | null {
  // No character takes more than three bytes.
  if (typeof payload === 'string' && payload.length * 3 <= maxPayload) return null
  const bytes = payloadBytes(payload)
  return bytes > maxPayload ? `a payload of ${bytes} bytes is over the limit of ${maxPayload}` : null
}

function whyInvalidTimes(times: {
  readonly delay?: number | undefined
  readonly at?: number | undefined
}): string | null {
  if (times.delay !== undefined && !Number.isFinite(times.delay)) return 'a delay is a finite number of milliseconds'
  if (times.at !== undefined && !Number.isFinite(times.at)) return 'an instant is a finite number of milliseconds'
  return null
}

function whyInvalidGate(gate: Gate): string | null {
  return (
    whyInvalidName('gate key', gate.key) ??
    (gate.limit === undefined && gate.rate === undefined ? 'a gate needs a limit or a rate' : null) ??
    whyInvalidWhole('gate limit', gate.limit, 1, 2 ** 31 - 1) ??
    (gate.rate ? whyInvalidRate(gate.rate) : null)
  )
}

export function whyInvalidRate(rate: Rate): string | null {
  return (
    whyInvalidWhole('rate', rate.max, 1, 2 ** 31 - 1) ??
    (Number.isFinite(rate.per) && rate.per >= 1 ? null : 'a rate needs a period of at least 1 ms')
  )
}

/** Names come again and again: looked at once, they are known. Not keys and tags, of which there is no end. */
const knownNames = new Set<string>()
const mostKnown = 1000

function whyInvalidFixedName(what: string, name: string): string | null {
  if (knownNames.has(name)) return null
  const reason = whyInvalidName(what, name)
  if (reason === null) {
    if (knownNames.size >= mostKnown) knownNames.clear()
    knownNames.add(name)
  }
  return reason
}

function whyInvalidName(what: string, text: string): string | null {
  if (text.length === 0) return `an empty ${what} cannot be stored`
  if (text.length > 1024) return `a ${what} of ${text.length} characters is too long`
  if (text.includes('\0') || !text.isWellFormed()) return `a ${what} holds characters that cannot be stored`
  return null
}

function whyInvalidTag(tag: string): string | null {
  return whyInvalidName('tag', tag)
}

function whyInvalidWhole(what: string, value: number | undefined, least: number, most: number): string | null {
  if (value === undefined) return null
  return Number.isInteger(value) && value >= least && value <= most
    ? null
    : `${what} must be a whole number from ${least} to ${most}`
}

function firstOf<T>(list: readonly T[] | undefined, why: (item: T) => string | null): string | null {
  if (list === undefined) return null
  for (const item of list) {
    const reason = why(item)
    if (reason !== null) return reason
  }
  return null
}

function cut(text: string): string {
  return text.length > 40 ? `${text.slice(0, 40)}…` : text
}
