import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import {
  type Class,
  type Comment,
  type Declaration,
  type ExportSpecifier,
  type ModuleExportName,
  parseSync,
} from 'oxc-parser'

/** One name that a package exports, as its users see it. */
export interface Exported {
  readonly name: string
  readonly kind: 'function' | 'class' | 'constant' | 'type'
  /** Its TSDoc, without the stars. */
  readonly doc: string
  /** The declaration without its body. */
  readonly signature: string
}

interface Source {
  readonly file: string
  readonly text: string
  readonly statements: ReturnType<typeof parseSync>['program']['body']
  readonly comments: readonly Comment[]
}

const sources = new Map<string, Source>()

/** Everything an entry exports, in the order of its name. */
export function readExports(entry: string): Exported[] {
  return [...exportsOf(entry)]
    .map(([name, found]) => ({ ...found, name }))
    .toSorted((a, b) => a.name.localeCompare(b.name, 'en'))
}

function exportsOf(file: string): Map<string, Exported> {
  const source = read(file)
  const found = new Map<string, Exported>()
  for (const statement of source.statements) {
    if (statement.type === 'ExportAllDeclaration') {
      for (const [name, one] of exportsOf(resolve(dirname(file), statement.source.value))) found.set(name, one)
    }
    if (statement.type !== 'ExportNamedDeclaration') continue
    if (statement.source !== null)
      addFrom(exportsOf(resolve(dirname(file), statement.source.value)), statement.specifiers, found)
    else if (statement.declaration === null) addLocal(source, statement.specifiers, found)
    else addDeclared(source, statement.declaration, statement.start, found)
  }
  return found
}

function addFrom(
  there: ReadonlyMap<string, Exported>,
  specifiers: readonly ExportSpecifier[],
  found: Map<string, Exported>,
): void {
  for (const { local, exported } of specifiers) {
    const one = there.get(nameOf(local))
    if (one !== undefined) found.set(nameOf(exported), one)
  }
}

/** `import { x } from …` and `export { x }` apart. */
function addLocal(source: Source, specifiers: readonly ExportSpecifier[], found: Map<string, Exported>): void {
  for (const { local, exported } of specifiers) {
    for (const statement of source.statements) {
      if (statement.type !== 'ImportDeclaration' || !statement.source.value.startsWith('.')) continue
      const specifier = statement.specifiers.find((one) => one.local.name === nameOf(local))
      if (specifier?.type !== 'ImportSpecifier') continue
      const one = exportsOf(resolve(dirname(source.file), statement.source.value)).get(nameOf(specifier.imported))
      if (one !== undefined) found.set(nameOf(exported), one)
    }
  }
}

function addDeclared(source: Source, declaration: Declaration, start: number, found: Map<string, Exported>): void {
  const doc = docBefore(source, start)
  const cut = (from: number, to: number): string => source.text.slice(from, to).trim()
  switch (declaration.type) {
    case 'FunctionDeclaration':
    case 'TSDeclareFunction': {
      const name = declaration.id!.name
      const signature = cut(declaration.start, declaration.body?.start ?? declaration.end)
      const before = found.get(name)
      if (before === undefined) found.set(name, { name, kind: 'function', doc, signature })
      // Overloads come first; what implements them is not for users.
      else if (declaration.body === null) found.set(name, { ...before, signature: `${before.signature}\n${signature}` })
      return
    }
    case 'ClassDeclaration': {
      const { id, body } = declaration
      const head = cut(declaration.start, body.start)
      found.set(id!.name, {
        name: id!.name,
        kind: 'class',
        doc,
        signature: `${head} {\n${publicMembers(source, body.body)}}`,
      })
      return
    }
    case 'VariableDeclaration':
      for (const { id } of declaration.declarations) {
        if (id.type !== 'Identifier') continue
        const type =
          id.typeAnnotation === null || id.typeAnnotation === undefined
            ? ''
            : cut(id.typeAnnotation.start, id.typeAnnotation.end)
        found.set(id.name, { name: id.name, kind: 'constant', doc, signature: `const ${id.name}${type}` })
      }
      return
    case 'TSInterfaceDeclaration':
    case 'TSTypeAliasDeclaration':
      found.set(declaration.id.name, {
        name: declaration.id.name,
        kind: 'type',
        doc,
        signature: cut(declaration.start, declaration.end),
      })
  }
}

type Members = Class['body']['body']

/** Fields by their type, methods by their head; what is private stays so. */
function publicMembers(source: Source, members: Members): string {
  let text = ''
  for (const member of members) {
    if (member.type === 'StaticBlock' || member.type === 'TSIndexSignature') continue
    if (member.key.type === 'PrivateIdentifier' || ('accessibility' in member && member.accessibility === 'private'))
      continue
    const end =
      member.type === 'MethodDefinition'
        ? (member.value.body?.start ?? member.end)
        : (member.value?.start ?? member.end)
    text += `  ${source.text
      .slice(member.start, end)
      .replace(/=?\s*$/, '')
      .trim()}\n`
  }
  return text
}

function docBefore({ text, comments }: Source, start: number): string {
  const comment = comments.findLast((one) => one.end <= start)
  if (comment?.type !== 'Block' || !comment.value.startsWith('*')) return ''
  if (text.slice(comment.end, start).trim() !== '') return ''
  return comment.value
    .split('\n')
    .map((line) => line.replace(/^\s*\*+ ?/, '').trimEnd())
    .join('\n')
    .trim()
}

function nameOf(name: ModuleExportName): string {
  return name.type === 'Literal' ? name.value : name.name
}

function read(file: string): Source {
  let source = sources.get(file)
  if (source === undefined) {
    const text = readFileSync(file, 'utf8')
    const { program, comments, errors } = parseSync(file, text)
    if (errors.length > 0) throw new Error(`${file}: ${errors[0]!.message}`)
    sources.set(file, (source = { file, text, statements: program.body, comments }))
  }
  return source
}
