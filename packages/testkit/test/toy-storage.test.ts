import { toyStorage } from '../examples/toy/toy-storage.ts'
import { describeStorage } from '../src/index.ts'

/** What an adapter author sees on the first evening: a small storage, and the chapters it already passes. */
const chapters = ['Create', 'Order', 'Claim', 'Transitions and fence']
describeStorage('a toy', () => ({ storage: toyStorage(), elsewhere: toyStorage, dispose: async () => {} }), {
  chapters,
})
