import type { Reporter, TestModule } from 'vitest/node'

interface Part {
  files: number
  passed: number
  failed: number
  fromMs: number
  toMs: number
  /** Tests that passed at their second try. */
  readonly again: string[]
}

/** Prints, after a run, how long each part took, how many tests it held, and which needed a second try. */
export default class TestParts implements Reporter {
  readonly #parts = new Map<string, Part>()

  onTestModuleStart(module: TestModule): void {
    const now = performance.now()
    const part = this.#parts.get(module.project.name)
    if (part === undefined) {
      this.#parts.set(module.project.name, { files: 0, passed: 0, failed: 0, fromMs: now, toMs: now, again: [] })
    }
  }

  onTestModuleEnd(module: TestModule): void {
    const part = this.#parts.get(module.project.name)
    if (part === undefined) return
    part.files += 1
    part.toMs = performance.now()
    for (const test of module.children.allTests()) {
      if (test.result().state === 'passed') part.passed += 1
      else part.failed += 1
      if ((test.diagnostic()?.retryCount ?? 0) > 0) part.again.push(test.fullName)
    }
  }

  onTestRunEnd(): void {
    const lines = [...this.#parts].map(([name, part]) => {
      const seconds = ((part.toMs - part.fromMs) / 1000).toFixed(1).padStart(7)
      const failed = part.failed > 0 ? `, ${part.failed} not passed` : ''
      return `  ${name.padEnd(12)}${seconds} s   ${part.passed} passed${failed} in ${part.files} files`
    })
    const again = [...this.#parts].flatMap(([name, part]) => part.again.map((test) => `  ${name}: ${test}`))
    if (again.length > 0) console.log(`\nPassed only at the second try\n${again.join('\n')}`)
    if (lines.length > 0) console.log(`\nHow long each part took\n${lines.join('\n')}\n`)
  }
}
