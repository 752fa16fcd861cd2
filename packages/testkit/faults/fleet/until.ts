import { setTimeout as pause } from 'node:timers/promises'
import { machineMs } from '../evidence/entry.ts'

/** Asks until the answer is yes, and tells how long that took. Whoever asks a storage that is just down asks again. */
export async function until(what: string, withinMs: number, ask: () => boolean | Promise<boolean>): Promise<number> {
  const from = machineMs()
  let trouble: unknown
  for (;;) {
    try {
      if (await ask()) return machineMs() - from
      trouble = undefined
    } catch (error) {
      trouble = error
    }
    if (machineMs() - from > withinMs) {
      throw new Error(`Not within ${withinMs} ms: ${what}.`, { cause: trouble })
    }
    await pause(25)
  }
}
