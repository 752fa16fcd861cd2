import { setTimeout as sleep } from 'node:timers/promises'

/** Stands for the work of somebody else's server: somewhere between `fromMs` and `toMs`, unless it is called off. */
export async function takeTime(fromMs: number, toMs: number, signal: AbortSignal): Promise<void> {
  await sleep(fromMs + Math.random() * (toMs - fromMs), undefined, { signal })
}

/** True in this share of the cases. */
export function happens(share: number): boolean {
  return Math.random() < share
}
