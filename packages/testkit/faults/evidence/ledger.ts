import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { machineMs } from './entry.ts'
import type { Entry, Witnessed } from './entry.ts'

type Unstamped<T> = T extends unknown ? Omit<T, 'at'> : never

/** An append-only file. Every line is with the kernel when `write` returns, so it survives the death of its writer. */
export class Ledger {
  readonly #file: number

  constructor(path: string) {
    this.#file = openSync(path, 'a')
  }

  write(entry: Unstamped<Entry>): void {
    writeSync(this.#file, `${JSON.stringify({ ...entry, at: machineMs() })}\n`)
  }

  close(): void {
    closeSync(this.#file)
  }
}

/** What a process wrote. Only the very last line of one that was killed may be torn. */
export function readLedger(path: string, who: string): Witnessed[] {
  const lines = readFileSync(path, 'utf8').split('\n')
  lines.pop()
  return lines.map((line) => ({ ...(JSON.parse(line) as Entry), who }))
}
