import { entered as states } from '@q/core/storage'
import { encodeState } from '../../codec/state.ts'

const named = {
  PROMOTED: states.promoted,
  RECOVERED: states.recovered,
  CRASHED: states.crashed,
  HANDED_BACK: states.handedBack,
  PARKED_AGAIN: states.parkedAgain,
  EXPIRED: states.expired,
  RETIRED: states.retired,
}

/** The states a storage enters by itself, encoded once. */
export const entered: string = Object.entries(named)
  .map(([name, state]) => `local ${name} = '${literal(encodeState(state))}'`)
  .join('\n')

function literal(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => `\\${String(byte).padStart(3, '0')}`).join('')
}
