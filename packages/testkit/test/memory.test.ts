import { memoryStorage } from '@q/core/memory'
import type { ScratchStorage } from '../src/index.ts'
import { ManualClock, describeDifferential, describeStorage } from '../src/index.ts'

const open = (): ScratchStorage => {
  const clock = new ManualClock()
  return {
    storage: memoryStorage({ clock }),
    elsewhere: () => memoryStorage({ clock }),
    clock,
    dispose: async () => {},
  }
}

describeStorage('memory', open)
/** The model against itself: its answers follow from what it is asked, and from nothing else. */
describeDifferential('memory', open, { seeds: 100 })
