import { globSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'

/** One fenced block of a page. */
export interface Block {
  readonly page: string
  /** The page and the heading it stands under, with a number from the second block on: `docs/limits.md: Rates (2)`. */
  readonly name: string
  readonly language: string
  /** Given after the language: the block is a file of this name. */
  readonly file: string | undefined
  readonly text: string
  readonly line: number
}

export const checkout: string = resolve(import.meta.dirname, '../..')

/** What users read: the front page, the guides, and each package's own page. */
export const pages: readonly string[] = [
  'README.md',
  ...globSync('docs/*.md', { cwd: checkout }).toSorted(),
  ...globSync('packages/*/README.md', { cwd: checkout }).toSorted(),
]

export function readBlocks(page: string): Block[] {
  const lines = readFileSync(resolve(checkout, page), 'utf8').split('\n')
  const blocks: Block[] = []
  const counts = new Map<string, number>()
  let heading = ''
  for (let index = 0; index < lines.length; index++) {
    heading = /^#+ (.+)$/.exec(lines[index]!)?.[1] ?? heading
    const fence = /^```(\w*)(?: (\S+))?$/.exec(lines[index]!)
    if (fence === null) continue
    const [, language = '', file] = fence
    const end = lines.indexOf('```', index + 1)
    if (end < 0) throw new Error(`${page}:${index + 1}: this block has no end.`)
    const count = (counts.get(heading) ?? 0) + (language === 'ts' ? 1 : 0)
    counts.set(heading, count)
    const name = `${page}: ${heading}${count > 1 ? ` (${count})` : ''}`
    blocks.push({ page, name, language, file, text: lines.slice(index + 1, end).join('\n'), line: index + 1 })
    index = end
  }
  return blocks
}
