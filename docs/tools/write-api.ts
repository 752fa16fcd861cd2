import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { type Exported, readExports } from './read-exports.ts'

const checkout = resolve(import.meta.dirname, '../..')
const folder = resolve(import.meta.dirname, '../api')
const packages = ['core', 'sqlite', 'postgres', 'redis', 'dashboard', 'testkit']

export interface Entry {
  /** As it is imported: `@q/dashboard/node`. */
  readonly name: string
  readonly exports: readonly Exported[]
}

/** Every entry of every package, read from its source. */
export function readEntries(): Entry[] {
  return packages
    .flatMap((name) => {
      const root = join(checkout, 'packages', name)
      const { exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
        exports: Record<string, { '@q/source'?: string }>
      }
      return Object.entries(exports).flatMap(([path, { '@q/source': source }]) =>
        source === undefined ? [] : [{ name: `@q/${name}${path.slice(1)}`, exports: readExports(join(root, source)) }],
      )
      // A thread's own file has nothing for anybody to import.
    })
    .filter((entry) => entry.exports.length > 0)
}

/** The reference: a page for each entry, and one that lists them. */
export function writeApi(): void {
  const entries = readEntries()
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const entry of entries) writeFileSync(join(folder, fileOf(entry)), pageOf(entry))
  const lines = entries.map((entry) => `| [\`${entry.name}\`](${fileOf(entry)}) | ${entry.exports.length} |`)
  writeFileSync(
    join(folder, 'README.md'),
    `# API\n\nWritten by \`npm run docs\` from the sources and their comments.\n\n| entry | exports |\n|---|---|\n${lines.join('\n')}\n`,
  )
}

export function fileOf({ name }: Entry): string {
  return `${name.slice(3).replaceAll('/', '-')}.md`
}

const kinds: ReadonlyArray<readonly [kind: Exported['kind'], title: string]> = [
  ['function', 'Functions'],
  ['class', 'Classes'],
  ['constant', 'Constants'],
  ['type', 'Types'],
]

function pageOf({ name, exports }: Entry): string {
  const chapters = kinds.flatMap(([kind, title]) => {
    const own = exports.filter((one) => one.kind === kind)
    return own.length === 0 ? [] : [`## ${title}\n\n${own.map(sectionOf).join('\n')}`]
  })
  return `# ${name}\n\n${chapters.join('\n')}`
}

function sectionOf({ name, doc, signature }: Exported): string {
  const [text = '', ...examples] = doc.split(/^@example[ \t]*\n?/m)
  const code = examples.map((example) => {
    const bare = example.trim().replaceAll(/^```\w*\n?|\n?```$/g, '')
    return `\nFor example:\n\n\`\`\`ts\n${bare}\n\`\`\`\n`
  })
  return `### ${name}\n\n${text.trim() === '' ? '' : `${text.trim()}\n\n`}\`\`\`ts\n${signature}\n\`\`\`\n${code.join('')}`
}
