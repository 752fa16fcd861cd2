import { mapOf, numberOf, textOf } from './codec/answer.ts'
import { unpack } from './msgpack.ts'
import type { Paused, QueueConfig, Rate } from '@q/core/storage'
import type { Unpacked } from './msgpack.ts'

/** A queue's configuration as it is stored: false where a field was cleared. */
export function readConfig(bytes: Buffer | null): QueueConfig {
  if (bytes === null) return {}
  const config = mapOf(unpack(bytes))
  const field = <T>(name: string, read: (value: Unpacked) => T): { [key: string]: T | null } => {
    const value = config.get(name)
    return value === undefined ? {} : { [name]: value === false ? null : read(value) }
  }
  return {
    ...field('paused', pausedOf),
    ...field('maxActive', (value) => value as number),
    ...field('rate', rateOf),
  }
}

function pausedOf(value: Unpacked): Paused {
  const paused = mapOf(value)
  const [by, reason, until] = [paused.get('by'), paused.get('reason'), numberOf(paused.get('until'))]
  return {
    at: numberOf(paused.get('at'))!,
    ...(by === undefined ? {} : { by: textOf(by) }),
    ...(reason === undefined ? {} : { reason: textOf(reason) }),
    ...(until === undefined ? {} : { until }),
  }
}

function rateOf(value: Unpacked): Rate {
  const rate = mapOf(value)
  return { max: numberOf(rate.get('max'))!, per: numberOf(rate.get('per'))! }
}
