import { changing } from './changing.ts'
import { create as createPart } from './parts/create.ts'
import { script } from './script.ts'
import type { PackedJob } from '../codec.ts'
import type { Script } from './script.ts'

/** Stores jobs. Refused as a whole when the server is out of memory: its first write asks for room. */
export const create: Script<{ jobs: readonly (PackedJob | false)[]; publish: string }> = script('create', [
  ...changing,
  createPart,
  /* lua */ `
  seqSlice = #A.jobs
  local outcomes = createAll(A.jobs)
  settle()
  noteNewNames()
  pushReady()
  flush()
  return mpack(outcomes)
  `,
])
