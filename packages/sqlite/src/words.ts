import type { Connection } from './connection.ts'
import { statement } from './statement.ts'

type Kind = 'job' | 'state' | 'server'

const findWord = statement<[Kind, string], { n: number }>((t) => `select n from ${t.word} where kind = ? and text = ?`)
const addWord = statement<[Kind, string], { n: number }>(
  (t) => `insert into ${t.word} (kind, text) values (?, ?) returning n`,
)
const readWord = statement<[number], { text: string }>((t) => `select text from ${t.word} where n = ?`)

/** Names that recur in every row stand there as numbers. Words are never removed, so what is known here stays true. */
export class Words {
  readonly #db: Connection
  readonly #numbers = {
    job: new Map<string, number>(),
    state: new Map<string, number>(),
    server: new Map<string, number>(),
  }
  readonly #texts = new Map<number, string>()

  constructor(db: Connection) {
    this.#db = db
  }

  /** The number of a word, which is added when it is new. */
  number(kind: Kind, text: string): number {
    const known = this.#numbers[kind].get(text)
    if (known !== undefined) return known
    const { n } = this.#db.get(findWord, kind, text) ?? this.#db.get(addWord, kind, text)!
    this.#remember(kind, n, text)
    return n
  }

  text(n: number): string {
    const known = this.#texts.get(n)
    if (known !== undefined) return known
    const { text } = this.#db.get(readWord, n)!
    if (this.#texts.size > mostKnown) this.#texts.clear()
    this.#texts.set(n, text)
    return text
  }

  /** A step was rolled back: words it added are not there. */
  forget(): void {
    for (const words of Object.values(this.#numbers)) words.clear()
    this.#texts.clear()
  }

  #remember(kind: Kind, n: number, text: string): void {
    if (this.#numbers[kind].size > mostKnown) this.forget()
    this.#numbers[kind].set(text, n)
    this.#texts.set(n, text)
  }
}

const mostKnown = 10_000
