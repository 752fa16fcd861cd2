import { bytes } from './format.ts'
import type { Fragment, Html } from './html.ts'
import { html } from './html.ts'
import { copyButton } from './parts.ts'

/** Longer texts are cut on the page, and whole behind a link. */
const mostShown = 64_000

/** Data as indented JSON, coloured by kind. What is no JSON (a Map, a Date) is shown as what it would be in JSON. */
export function dataView(value: unknown, options: { readonly label: string; readonly full: string }): Html {
  const text = toText(value)
  if (text === undefined) return html`<p class="none">—</p>`
  const cut = text.length > mostShown ? text.slice(0, mostShown) : text
  return html`<div class="data">
    <div class="data-tools">
      ${copyButton(cut, `Copy ${options.label}`)}<a class="quiet" href="${options.full}">Raw</a>
    </div>
    <pre tabindex="0" aria-label="${options.label}"><code>${colour(cut)}</code></pre>
    ${cut === text ? null : html`<p class="quiet">${bytes(mostShown)} of ${bytes(text.length)} shown. <a href="${options.full}">See all of it</a>.</p>`}
  </div>`
}

export function toText(value: unknown): string | undefined {
  return JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? `${item}n` : item), 2)
}

/** Splits JSON text into its tokens; every piece is escaped like any other text. */
function colour(text: string): Fragment {
  if (text.length > 20_000) return text
  const pieces: Fragment[] = []
  let from = 0
  for (const match of text.matchAll(
    /("(?:[^"\\]|\\.)*")(\s*:)?|\b(true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g,
  )) {
    const [token, quoted, colon] = match
    pieces.push(text.slice(from, match.index))
    from = match.index + token.length
    if (quoted !== undefined && colon !== undefined) pieces.push(html`<span class="j-key">${quoted}</span>`, colon)
    else pieces.push(html`<span class="${quoted !== undefined ? 'j-text' : 'j-value'}">${token}</span>`)
  }
  pieces.push(text.slice(from))
  return pieces
}
