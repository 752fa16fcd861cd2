import type { Html } from './html.ts'
import { html } from './html.ts'

/** A part of a page that is replaced on its own when it changes. */
export interface Region {
  readonly id: string
  readonly html: Html
}

export interface Page {
  readonly title: string
  readonly regions: readonly Region[]
  readonly status?: number | undefined
  /** It shows what is now: kept up to date while somebody looks. */
  readonly isLive: boolean
}

export function region(id: string, body: Html, className: string = ''): Region {
  return { id: `r-${id}`, html: html`<section id="r-${id}" class="region ${className}" data-region>${body}</section>` }
}
