import { tryTarballs } from '../checks/try-tarballs.ts'
import { checkout } from './checkout.ts'
import { runToExit } from './run-to-exit.ts'

await runToExit(async () => {
  await tryTarballs(checkout)
  return 0
})
