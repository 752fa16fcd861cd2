/**
 * Every key of a namespace starts with the same hash tag, so that a cluster keeps them in one slot and a script may touch
 * them all; scripts are given that start as their one declared key. What a user named always stands last in a key, or is
 * preceded by its length, so no name can reach another's key. Times and counters are listed with what bounds them.
 */
export const families = {
  /** string per job: its record (see codec/layout.ts). Bounded by retention. */
  job: 'j:',
  /** string per job whose payload is long: the payload. */
  payload: 'p:',
  /** string per running job: its progress. */
  progress: 'g:',
  /** list per job: its last 1,000 log lines. */
  log: 'l:',
  /** hash per parent: child -> history number of the parent when the edge was made. Open edges only. */
  edges: 'e:',
  /** sorted set per parent: all its children, by creation. */
  children: 'f:',
  /** string per unique key: "holder expiry". */
  unique: 'u:',

  /** list per (priority, queue): (seq, id) of ready jobs in order; entries of jobs that left are tombstones. */
  ready: 'r:',
  /** sorted set per queue: the priorities whose list is not empty. */
  priorities: 'i:',
  /** sorted set per queue: (priority, seq, id) of ready jobs that were handed back to their old place. Emptied first. */
  back: 'b:',
  /** sorted set: (seq, id) of scheduled jobs by due time. */
  due: 'd',
  /** sorted set per queue: (priority, seq, id) of ready jobs that were set aside at a gate. */
  aside: 'bw:',
  /** sorted set: jobs that expire unless they start, by that instant. */
  expiring: 'x',
  /** sorted set per (queue, name@version): (priority, seq, id) of parked jobs. */
  parked: 'w:',
  /** list: decisions about edges that were too many for one step. */
  owed: 'o',

  /** stream per phase: one entry per call with the ids that entered it. Entries of jobs that left are dropped from its head. */
  entered: 's:',
  /** sorted set per phase: job by the instant it entered, where the stream does not hold it. */
  index: 'y:',
  /** sorted set: final jobs with an unusual retention, by the instant they are removed. */
  removal: 'k',

  /** hash per session, by its fingerprint. Ended ones stay for twice their ttl. */
  session: 'a:',
  /** hash per session: claim -> the ids it took, and #claim -> how many of them are held. Gone with the last of them. */
  held: 'h:',
  /** hash per session: job -> cancel wish or voided claim. */
  signals: 'c:',
  /** sorted set: live sessions by the instant they become suspect. */
  sessions: 'z',

  /** set per gate: the active jobs that hold it. */
  holders: 'gh:',
  /** sorted set per (gate, queue): (priority, seq, id) of jobs that wait for it. */
  waiting: 'gw:',
  /** sorted set per gate: queues with waiters, by when they were last offered. */
  waitingQueues: 'gq:',
  /** hash per gate: queue -> waiters that were put back and not yet claimed. */
  offered: 'go:',
  /** string per gate or queue: when its token bucket will be full. Expires then. */
  bucket: 'gb:',
  /** sorted set: gates with waiters, by when they were last offered. */
  gates: 'gz',
  /** sorted set: gates whose waiters wait for a token, by when it comes. */
  openings: 'gt',

  /** hash: counters per phase and queue, configuration per queue. */
  queues: 'q',
  /** hash: what the namespace knows of itself. */
  meta: 'm',
  /** string: the place numbers given out. */
  seq: 'n',
  /** sorted sets of names, at most 10,000 each. */
  names: 'v:',

  /** hash per minute: deltas. Rolled up two minutes later. */
  minute: 't:',
  /** sorted set: minutes not yet rolled up. */
  minutes: 'tm',
  /** hash: (queue, name) -> short number. */
  pairs: 'tp',
  /** hash per day (minutes), per month (hours), one for days. They expire. */
  rolled: 'tr:',

  /** sorted set: error groups by last occurrence, at most 5,000. */
  errors: 'eg',
  /** hash per error group. */
  error: 'eh:',

  /** hash: recurring records; sorted sets of their ids, by name and by next occurrence. */
  recurring: 'rr',
  recurringIds: 'ri',
  recurringDue: 'rd',
  /** sorted set per record: its last 50 jobs; and a hash with how they ended. */
  runs: 'rs:',
  runEnds: 'rh:',

  /** string per held lock; expires with it. */
  lock: 'lk:',
  /** strings that exist while somebody watches queues, and jobs. */
  watchesQueues: 'wq',
  watchesJobs: 'wj',
  /** the channel of wake-ups. */
  wakeups: 'wake',
} as const

export type Family = keyof typeof families

export interface Keys {
  /** What every key starts with, and the one key that is declared to scripts. */
  readonly root: string
  of(family: Family, rest?: string): string
}

/** Names are percent-encoded where they would end or reopen the hash tag. */
export function keysOf(namespace: string): Keys {
  const root = `{${namespace.replace(/[^A-Za-z0-9_.-]/gu, (character) => encodeURIComponent(character))}}:`
  return { root, of: (family, rest = '') => root + families[family] + rest }
}

/** Replaces `K.name` in Lua by the start of that family's keys. */
export function withKeys(lua: string): string {
  return lua.replace(/\bK\.(\w+)/g, (_, name: string) => {
    if (!(name in families)) throw new Error(`no keys are called "${name}"`)
    return `R..'${families[name as Family]}'`
  })
}
