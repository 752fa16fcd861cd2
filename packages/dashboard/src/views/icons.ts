import type { Html } from './html.ts'
import { html, trusted } from './html.ts'

const paths = {
  overview: 'M2 9.5 6 6l3 2.5L14 3.5M2 13.5h12',
  jobs: 'M3 4h10M3 8h10M3 12h6',
  errors: 'M8 2.5 14.5 13.5h-13zM8 6.5v3.2M8 11.6v.2',
  queues: 'M2.5 4.5h8M2.5 8h8M2.5 11.5h8M12.5 6.5 14 8l-1.5 1.5',
  recurring: 'M13.5 8A5.5 5.5 0 1 1 11.6 3.8M13.5 2.2v3h-3M8 5.2V8l2 1.4',
  servers: 'M2.5 3h11v4h-11zM2.5 9h11v4h-11zM5 5h.1M5 11h.1',
  metrics: 'M3 13.5v-5M6.5 13.5v-8M10 13.5v-3.5M13.5 13.5V3',
  operations: 'M5.5 3.5h8M5.5 8h8M5.5 12.5h8M2 3.5l.8.8L4 2.9M2 8l.8.8L4 7.4M2 12.5l.8.8L4 11.9',
  search: 'M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM10.8 10.8 14 14',
  copy: 'M5.5 5.5V3h7.5v7.5h-2.5M3 5.5h7.5V13H3z',
  theme: 'M8 2a6 6 0 1 0 0 12zM8 2a6 6 0 0 1 0 12',
} as const

export type IconName = keyof typeof paths

/** Beside a word, never instead of one. */
export function icon(name: IconName): Html {
  return html`<svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
    <path d="${trusted(paths[name])}" />
  </svg>`
}
