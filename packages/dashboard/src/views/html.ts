import { html as taggedHtml, raw } from 'hono/html'

/** Markup that is safe to send. Only `html` makes it. */
// oxlint-disable-next-line typescript/no-wrapper-object-types -- hono makes String objects, which a plain text can never be
export interface Html extends String {
  readonly isEscaped: true
}

/** What may stand in a template: text is escaped, markup is not, nothing is nothing. No objects and no promises. */
export type Fragment = Html | string | number | false | null | undefined | readonly Fragment[]

/** Text that becomes part of a page is escaped here, and only here. */
export function html(strings: TemplateStringsArray, ...values: readonly Fragment[]): Html {
  return taggedHtml(onOneLine(strings), ...values) as Html
}

const shortened = new WeakMap<TemplateStringsArray, TemplateStringsArray>()

/** The indentation of the source is for us, not for the reader of the page; between words one space says as much. */
function onOneLine(strings: TemplateStringsArray): TemplateStringsArray {
  let short = shortened.get(strings)
  if (short === undefined) {
    const parts = strings.map((part) => part.replace(/\s*\n\s*/g, ' '))
    short = Object.assign(parts, { raw: parts })
    shortened.set(strings, short)
  }
  return short
}

/** The only door for text that is markup already: our own constants, never anything that was read. */
export function trusted(markup: string): Html {
  return raw(markup) as Html
}
