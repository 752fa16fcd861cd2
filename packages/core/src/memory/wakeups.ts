import type { WakeupsRoom } from '../storage/wakeups.ts'
import { type Store, begin } from './store.ts'

export function createWakeupsRoom(store: Store): WakeupsRoom {
  return {
    async watch(topics, wake) {
      begin(store)
      const stop = store.watchers.add(topics, wake)
      return { close: async () => stop() }
    },
  }
}
