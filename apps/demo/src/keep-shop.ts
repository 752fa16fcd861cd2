import { consoleLogger } from './console-logger.ts'
import { openShop } from './open-shop.ts'

/** Keeps the shop open until somebody presses Ctrl-C or the system asks for the end. The second time means at once. */
export async function keepShop(): Promise<void> {
  const asked = Promise.withResolvers<void>()
  let times = 0
  const onSignal = (): void => {
    if (++times > 1) process.exit(130)
    asked.resolve()
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal)
  const shop = await openShop(consoleLogger)
  console.log(`
  The shop         ${shop.url}/
  The dashboard    ${shop.url}/jobs

  Orders come in by themselves; place one of your own and watch it.
  Start this a second time in another terminal, and both share the work.
  Ctrl-C closes the shop. No job is lost: start it again, and it goes on.
`)
  await asked.promise
  console.log('\nClosing: what runs may finish, the rest waits for the next start. Ctrl-C again leaves at once.')
  await shop.close()
  console.log('Closed.')
}
