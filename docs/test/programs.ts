import { type Block, pages, readBlocks } from './read-blocks.ts'

/** Code that a reader pastes from one place, and what the page says that it prints. */
interface Part {
  readonly code: string
  readonly prints: string | null
}

/** What a reader would paste into one file. */
export interface Program {
  readonly page: string
  /** That of its first block. */
  readonly name: string
  readonly line: number
  readonly parts: readonly Part[]
  /** The name of its file, where the page gives one: such files of a page belong together. */
  readonly file: string | undefined
}

/** Ends what a part has printed. */
export const partMark = '\u0000'

/**
 * A block that imports something begins a program; one that imports nothing goes on with the program before it. A `text`
 * block after it is what the part prints.
 */
export function readPrograms(): Program[] {
  return pages.flatMap((page) => programsOf(page, readBlocks(page)))
}

export function sourceOf({ page, line, parts }: Program): string {
  const mark = `\nconsole.log(${JSON.stringify(partMark)})\n`
  return `// ${page}:${line}\n${parts.map(({ code }) => code).join(mark)}\n\nexport {}\n`
}

function programsOf(page: string, blocks: readonly Block[]): Program[] {
  const programs: Program[] = []
  for (const { name, language, file, text, line } of blocks) {
    const last = programs.at(-1)
    if (language === 'text' && last !== undefined) {
      const { code } = last.parts.at(-1)!
      programs[programs.length - 1] = { ...last, parts: last.parts.with(-1, { code, prints: `${text}\n` }) }
    }
    if (language !== 'ts') continue
    const part: Part = { code: text, prints: null }
    if (/^import /m.test(text)) programs.push({ page, name, line, file, parts: [part] })
    else if (last === undefined) throw new Error(`${page}:${line}: the first block of a page imports what it uses.`)
    else programs[programs.length - 1] = { ...last, parts: [...last.parts, part] }
  }
  return programs
}
