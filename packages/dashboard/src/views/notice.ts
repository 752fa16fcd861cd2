import type { Fragment } from './html.ts'
import { html } from './html.ts'

/** What a form may come back with. The address carries the word, never the sentence. */
export const notices = {
  retried: 'The job is back in its queue.',
  cancelled: 'The job is cancelled.',
  cancelling: 'The job was asked to stop.',
  deleted: 'The job is deleted. It can be retried until its retention ends.',
  rescheduled: 'The job has another time.',
  changed: 'Nothing was done: the job had changed its state meanwhile.',
  missing: 'Nothing was done: the job is not in storage any more.',
  held: 'Nothing was done: another job holds its unique key.',
  paused: 'Paused.',
  resumed: 'It goes on.',
  limited: 'The limits are set.',
  triggered: 'A run was created.',
  edited: 'The schedule is changed.',
  removed: 'The recurring job is removed.',
  gone: 'There is no such recurring job.',
} as const

export type Notice = keyof typeof notices

const unhappy: ReadonlySet<string> = new Set<Notice>(['changed', 'missing', 'held', 'gone'])

export function noticeOf(word: string | null): Fragment {
  if (word === null || !Object.hasOwn(notices, word)) return null
  return html`<p class="notice ${unhappy.has(word) ? 'warn' : 'good'}">${notices[word as Notice]}</p>`
}
