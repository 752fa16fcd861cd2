import { parseArgs } from 'node:util'
import { isQError } from '@q/core'
import { keepShop } from './keep-shop.ts'
import { takeTour } from './tour/take-tour.ts'

const { values } = parseArgs({ options: { once: { type: 'boolean', default: false } } })

try {
  await (values.once ? takeTour() : keepShop())
} catch (error) {
  if (!isQError(error)) throw error
  // The message says what to do; a stack would only bury it.
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
}
