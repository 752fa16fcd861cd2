import { moves } from './changing.ts'
import { base } from './parts/base.ts'
import { books } from './parts/books.ts'
import { create as createPart } from './parts/create.ts'
import { createPlain } from './parts/create-plain.ts'
import { script } from './script.ts'
import type { PackedJob, PackedJobs } from '../codec/packed.ts'
import type { Script } from './script.ts'

/** Stores jobs. Refused as a whole when the server is out of memory: its first write asks for room. */
export const create: Script<{ jobs: readonly (PackedJob | PackedJobs | false)[]; size: number; publish: string }> =
  script('create', [
    base,
    books,
    /* lua */ `
    local ledger
    local function openLedger()
      if ledger then return ledger end
    `,
    ...moves,
    createPart,
    /* lua */ `
      ledger = { jobs = jobs, createAll = createAll, settle = settle }
      return ledger
    end
    `,
    createPlain,
    /* lua */ `
    seqSlice = A.size
    local list, outcomes, others = A.jobs, {}, {}
    for i = 1, #list + 1 do
      local c = list[i]
      local isGroup = c and type(c[1]) == 'table'
      if isGroup or i > #list then
        local answers = #others > 0 and openLedger().createAll(others) or {}
        for k = 1, #answers do outcomes[#outcomes + 1] = answers[k] end
        others = {}
        if isGroup then createPlain(c, outcomes) end
      else others[#others + 1] = c end
    end
    if ledger then ledger.settle() end
    pushReady()
    flush()
    return mpack(outcomes)
    `,
  ])
