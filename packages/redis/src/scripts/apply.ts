import { changing } from './changing.ts'
import { create } from './parts/create.ts'
import { steps } from './parts/steps.ts'
import { script } from './script.ts'
import type { PackedEnds, PackedTransition } from '../codec/packed.ts'
import type { Script } from './script.ts'

/** Commands: transitions outside of any session. */
export const apply: Script<{ apply: readonly (PackedTransition | PackedEnds | false)[]; publish: string }> = script(
  'apply',
  [
    ...changing,
    create,
    /* lua */ `local CALLER, CALL, SERVER = NOBODY, 0, nil`,
    steps,
    /* lua */ `
    local ids, outcomes = {}, {}
    for i = 1, #A.apply do if A.apply[i] then ids[#ids + 1] = A.apply[i][1] end end
    load(ids)
    for i = 1, #A.apply do outcomes[i] = A.apply[i] and step(A.apply[i]) or 5 end
    pushReady()
    flush()
    return mpack(outcomes)
    `,
  ],
  { runsWhenFull: true },
)
