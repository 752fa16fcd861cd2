import { changing } from './changing.ts'
import { create } from './parts/create.ts'
import { steps } from './parts/steps.ts'
import { script } from './script.ts'
import type { PackedTransition } from '../codec.ts'
import type { Script } from './script.ts'

/** Commands: transitions outside of any session. */
export const apply: Script<{ apply: readonly (PackedTransition | false)[]; publish: string }> = script(
  'apply',
  [
    ...changing,
    create,
    /* lua */ `local CALLER, CALL, SERVER = NOBODY, 0, nil`,
    steps,
    /* lua */ `
    local outcomes = stepAll(A.apply)
    noteNewNames()
    pushReady()
    flush()
    return mpack(outcomes)
    `,
  ],
  { runsWhenFull: true },
)
