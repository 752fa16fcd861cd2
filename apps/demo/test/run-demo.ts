import { type ChildProcess, spawn } from 'node:child_process'
import { resolve } from 'node:path'

const main = resolve(import.meta.dirname, '../src/main.ts')

/** A demo in a process of its own, as `npm run demo` starts it. */
export class Demo {
  readonly #child: ChildProcess
  #output = ''
  readonly exited: Promise<number>
  #grown = Promise.withResolvers<void>()

  constructor(url: string, args: readonly string[] = []) {
    this.#child = spawn(process.execPath, ['--conditions=@q/source', main, ...args], {
      env: { ...process.env, Q_URL: url, PORT: '0', NO_COLOR: '1', NODE_ENV: 'development' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    for (const pipe of [this.#child.stdout!, this.#child.stderr!]) {
      pipe.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text
        this.#grown.resolve()
        this.#grown = Promise.withResolvers()
      })
    }
    this.exited = new Promise((done) => this.#child.once('close', (code) => done(code ?? -1)))
    void this.exited.then(() => this.#grown.resolve())
  }

  get output(): string {
    return this.#output
  }

  /** Waits until the output has this; a demo that ends before is an error that shows what it said. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.#output)
      if (match !== null) return match
      if (this.#child.exitCode !== null) throw new Error(`The demo ended without saying ${pattern}:\n${this.#output}`)
      await this.#grown.promise
    }
  }

  /** The address of the shop. */
  async address(): Promise<string> {
    return (await this.says(/The shop\s+(http:\S+?)\/\n/))[1]!
  }

  /** Ctrl-C. */
  interrupt(): void {
    this.#child.kill('SIGINT')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null) this.#child.kill('SIGKILL')
    await this.exited
  }
}
