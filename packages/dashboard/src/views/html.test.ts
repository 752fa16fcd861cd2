import { expect, test } from 'vitest'
import { html, trusted } from './html.ts'

test('text is escaped, markup is not, and nothing is nothing', () => {
  const text = `<b title="x">'&`
  expect(
    String(html`<p class="${text}">${text}${html`<i>${text}</i>`}${null}${undefined}${false}${0}${[1, [2]]}</p>`),
  ).toBe(
    '<p class="&lt;b title=&quot;x&quot;&gt;&#39;&amp;">&lt;b title=&quot;x&quot;&gt;&#39;&amp;<i>&lt;b title=&quot;x&quot;&gt;&#39;&amp;</i>012</p>',
  )
  expect(String(html`${trusted('<hr>')}`)).toBe('<hr>')
})
