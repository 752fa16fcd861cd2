import { keyOf, loadContenders } from './contenders/index.ts'
import type { Place } from './contender.ts'
import type { Size } from './scenarios.ts'
import { scenarios } from './scenarios.ts'
import { sendElsewhere } from './elsewhere.ts'

/** One scenario of one contender, in a process of its own: nobody inherits another one's heap or connections. */
export interface Order {
  readonly contender: string
  readonly scenario: string
  readonly place: Place
  readonly scale: number
}

const order = JSON.parse(process.argv[2] ?? '') as Order
const contender = (await loadContenders()).find((one) => keyOf(one) === order.contender)
const scenario = scenarios.find(({ name }) => name === order.scenario)
if (contender === undefined || scenario === undefined)
  throw new Error(`there is no ${order.contender} or no "${order.scenario}"`)
const bench = await contender.open(order.place)
const size: Size = {
  storage: contender.storage,
  place: order.place,
  scale: order.scale,
  mostDrained: contender.mostDrained ?? Infinity,
  isSerial: contender.isSerial ?? false,
  elsewhere: {
    send: (count, everyMs) => sendElsewhere({ contender: order.contender, place: order.place, count, everyMs }),
  },
}
const figures = await scenario.run(bench, size)
await bench.close()
process.stdout.write(`\n${JSON.stringify(figures)}\n`)
// Whatever a driver keeps open must not keep the bench waiting.
process.exit(0)
