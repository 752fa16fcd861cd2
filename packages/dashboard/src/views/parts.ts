import type { Fragment, Html } from './html.ts'
import { html } from './html.ts'
import { icon } from './icons.ts'

/** The head of a page: what it is, and what can be done here. */
export function heading(title: Fragment, actions: Fragment = null, lead: Fragment = null): Html {
  return html`<header class="head">
    <div class="head-line">
      <h1>${title}</h1>
      <div class="actions">${actions}</div>
    </div>
    ${lead === null ? null : html`<p class="lead">${lead}</p>`}
  </header>`
}

export function panel(title: Fragment, body: Fragment, aside: Fragment = null, className: string = ''): Html {
  return html`<div class="panel ${className}">
    <div class="panel-head">
      <h2>${title}</h2>
      ${aside}
    </div>
    ${body}
  </div>`
}

/** Nothing to show is something to say: why, and what to do. */
export function empty(title: Fragment, body: Fragment = null): Html {
  return html`<div class="empty">
    <p class="empty-title">${title}</p>
    ${body}
  </div>`
}

/** The program text that gets somebody started. */
export function snippet(code: string): Html {
  return html`<pre class="snippet" tabindex="0"><code>${code}</code></pre>`
}

/** One of a few: links, so that the choice is in the address. */
export function choice(
  label: string,
  items: readonly { readonly text: Fragment; readonly href: string; readonly isCurrent: boolean }[],
): Html {
  return html`<nav class="choice" aria-label="${label}">
    ${items.map(({ text, href, isCurrent }) => html`<a href="${href}" ${isCurrent ? currentPage : null}>${text}</a>`)}
  </nav>`
}

export const currentPage: Html = html`aria-current="page"`

/** A form of one button: what it does, it does without a question, and it can be taken back. */
export function actionButton(
  action: string,
  text: Fragment,
  options: {
    readonly className?: string
    readonly fields?: Readonly<Record<string, string>>
    readonly label?: string
  } = {},
): Html {
  const { className = '', fields = {}, label } = options
  return html`<form method="post" action="${action}" class="inline">
    ${Object.entries(fields).map(
      ([name, value]) => html`<input type="hidden" name="${name}" value="${value}" />`,
    )}<button class="button ${className}" ${label === undefined ? null : html`aria-label="${label}"`}>${text}</button>
  </form>`
}

/** Opens a page that asks first; the script shows the same page as a dialog. */
export function askButton(href: string, text: Fragment, className: string = ''): Html {
  return html`<a class="button ${className}" href="${href}" data-dialog>${text}</a>`
}

export function copyButton(value: string, label: string): Html {
  return html`<button type="button" class="copy" data-copy="${value}" aria-label="${label}">${icon('copy')}</button>`
}

export function facts(rows: readonly (readonly [string, Fragment])[]): Html {
  return html`<dl class="facts">
    ${rows.map(
      ([term, value]) =>
        html`<div>
          <dt>${term}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>`
}

/** A share as a length. The figure stands beside it, so it says nothing by itself. */
export function bar(share: number): Html {
  const width = Math.round(Math.max(0, Math.min(1, share)) * 1000) / 10
  return html`<svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" focusable="false">
    <rect width="${width}" height="8" />
  </svg>`
}
