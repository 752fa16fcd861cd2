import { readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'

const checkout = resolve(import.meta.dirname, '../..')
const place = /(<!-- bench[^\n]*-->\n)[\s\S]*?(\n<!-- \/bench -->)/

/**
 * Puts the bench's summary onto the front page: the first table between the marks in `bench/README.md`, and the sentence
 * that says where it was measured. Where nothing has been measured, the page says so.
 */
export function writeFigures(): void {
  const page = resolve(checkout, 'README.md')
  const text = readFileSync(page, 'utf8')
  if (!place.test(text)) throw new Error('README.md has no place for figures: <!-- bench … --> and <!-- /bench -->.')
  writeFileSync(
    page,
    text.replace(place, (_all, from: string, to: string) => `${from}\n${figures()}\n${to}`),
  )
}

function figures(): string {
  const bench = readFileSync(resolve(checkout, 'bench/README.md'), 'utf8')
  const results = /<!-- results -->\n([\s\S]*?)<!-- \/results -->/.exec(bench)?.[1] ?? ''
  const table = /(?:^\|.*\n)+/m.exec(results)
  if (table === null) return 'The figures are not in yet. `npm run bench` measures Q beside its peers on your machine.'
  const before = results.slice(0, table.index).trim()
  const links = 'What was measured, and how: [the bench](bench/README.md).'
  return [before.replaceAll(/^#+ .*\n*/gm, '').trim(), table[0].trim(), links]
    .filter((part) => part !== '')
    .join('\n\n')
}
