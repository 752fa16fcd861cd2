import { ambiguity } from './ambiguity.ts'
import type { Chapter } from './chapter.ts'
import { claim } from './claim.ts'
import { create } from './create.ts'
import { edges } from './edges.ts'
import { limits } from './limits.ts'
import { monitor } from './monitor.ts'
import { order } from './order.ts'
import { recurring } from './recurring.ts'
import { retention } from './retention.ts'
import { sessions } from './sessions.ts'
import { transitions } from './transitions.ts'
import { wakeups } from './wakeups.ts'

/** All that is asked of a storage, in the order of the contract. */
export const conformance: readonly Chapter[] = [
  create,
  order,
  claim,
  transitions,
  ambiguity,
  sessions,
  edges,
  limits,
  recurring,
  retention,
  monitor,
  wakeups,
]
