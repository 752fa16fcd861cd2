import { dataOf } from './contender.ts'
import { keyOf, loadContenders } from './contenders/index.ts'
import type { SendOrder } from './elsewhere.ts'
import { machineNow } from './machine-now.ts'

/** The other process of a measurement: enqueues at its pace, then tells when it did. */
const { contender: key, place, count, everyMs } = JSON.parse(process.argv[2] ?? '') as SendOrder
const contender = (await loadContenders()).find((one) => keyOf(one) === key)
if (contender === undefined) throw new Error(`there is no ${key}`)
const bench = await contender.open(place)
const sentAt: number[] = []
for (let id = 0; id < count; id++) {
  sentAt.push(machineNow())
  const sent = bench.enqueue(dataOf(id))
  await new Promise((next) => setTimeout(next, everyMs))
  await sent
}
await bench.close()
process.send!(sentAt, () => process.exit(0))
