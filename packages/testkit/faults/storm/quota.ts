import type { Figures } from './figures.ts'

/** Everything a storm does to a fleet, by name. */
export type FaultName =
  | 'kill worker'
  | 'kill producer'
  | 'zombie'
  | 'block'
  | 'swallow create'
  | 'swallow exchange'
  | 'swallow heartbeat'
  | 'swallow tick'
  | 'lose reply'
  | 'cut'
  | 'black hole'
  | 'slow line'
  | 'restart'

/** How often each fault has to strike. */
export type Quota = Readonly<Partial<Record<FaultName, number>>>

/** The least a storm must have done to be worth its name, counted from what was written down. */
export type Goals = Readonly<Partial<Record<Exclude<keyof Figures, 'swallowed'> | 'swallowedReplies', number>>>

/** On a server: killed and restarted, with a line that breaks in every way. */
export const serverQuota: Quota = {
  'kill worker': 22,
  'kill producer': 10,
  zombie: 12,
  block: 2,
  'swallow create': 20,
  'swallow exchange': 30,
  'swallow heartbeat': 6,
  'swallow tick': 6,
  'lose reply': 45,
  cut: 20,
  'black hole': 3,
  'slow line': 3,
  restart: 6,
}

export const serverGoals: Goals = {
  kills: 30,
  swallowedReplies: 100,
  restarts: 5,
  zombies: 10,
  cuts: 10,
  blackHoles: 1,
  slowLines: 1,
  blocks: 1,
}

/** In a file there is no line and no server: answers are swallowed above the storage, and processes die in commits. */
export const fileQuota: Quota = {
  'kill worker': 34,
  'kill producer': 24,
  zombie: 12,
  block: 2,
  'swallow create': 44,
  'swallow exchange': 56,
  'swallow heartbeat': 9,
  'swallow tick': 9,
}

export const fileGoals: Goals = { kills: 30, swallowedReplies: 100, killsInACommit: 3, zombies: 10, blocks: 1 }

/** What a round of the long command does: the proportions its goals ask for, five lost answers for every process killed. */
export const longServerQuota: Quota = {
  ...serverQuota,
  'kill worker': 40,
  'kill producer': 20,
  zombie: 16,
  'swallow create': 60,
  'swallow exchange': 90,
  'swallow heartbeat': 15,
  'swallow tick': 15,
  'lose reply': 130,
  cut: 30,
}

export const longFileQuota: Quota = {
  ...fileQuota,
  'kill worker': 40,
  'kill producer': 20,
  zombie: 16,
  'swallow create': 130,
  'swallow exchange': 150,
  'swallow heartbeat': 15,
  'swallow tick': 15,
}
