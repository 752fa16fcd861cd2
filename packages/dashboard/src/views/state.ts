import type { Html } from './html.ts'
import { html } from './html.ts'

/** How a job looks: its phase, and whether it has run before. */
export type Look =
  | 'awaiting'
  | 'scheduled'
  | 'retrying'
  | 'enqueued'
  | 'parked'
  | 'processing'
  | 'succeeded'
  | 'failed'
  | 'deleted'

export const glyphs: Readonly<Record<Look, string>> = {
  awaiting: '◌',
  scheduled: '◷',
  retrying: '↻',
  enqueued: '≡',
  parked: '◫',
  processing: '▶',
  succeeded: '✓',
  failed: '✕',
  deleted: '⊘',
}

export const titles: Readonly<Record<Look, string>> = {
  awaiting: 'Awaiting',
  scheduled: 'Scheduled',
  retrying: 'Retrying',
  enqueued: 'Enqueued',
  parked: 'Parked',
  processing: 'Processing',
  succeeded: 'Succeeded',
  failed: 'Failed',
  deleted: 'Deleted',
}

const byPhase: Readonly<Record<string, Look>> = {
  awaiting: 'awaiting',
  scheduled: 'scheduled',
  ready: 'enqueued',
  parked: 'parked',
  active: 'processing',
  succeeded: 'succeeded',
  failed: 'failed',
  deleted: 'deleted',
}

export function lookOf(phase: string, attempt: number = 0): Look {
  const look = byPhase[phase] ?? 'enqueued'
  return look === 'scheduled' && attempt > 0 ? 'retrying' : look
}

/** Never by colour alone: a glyph and a word. A state of the application's own shows its name in the colours of its phase. */
export function stateChip(look: Look, name?: string): Html {
  return html`<span class="chip ${look}"
    ><span class="glyph" aria-hidden="true">${glyphs[look]}</span>${stateTitle(look, name)}</span
  >`
}

export function stateTitle(look: Look, name: string | undefined): string {
  return name === undefined || builtIn.has(name) ? titles[look] : name
}

const builtIn: ReadonlySet<string> = new Set([
  'enqueued',
  'scheduled',
  'awaiting',
  'processing',
  'succeeded',
  'failed',
  'deleted',
])
