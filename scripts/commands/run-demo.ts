import { join } from 'node:path'
import { isFree } from '../services/free-port.ts'
import { checkout } from './checkout.ts'
import { run } from './run.ts'

const defaultPort = 3000

/**
 * Starts the demo application from source. It finds its port in PORT: the one that was asked for, known to be free, or the
 * first free one from 3000 on, so that a second demo can share the work of the first.
 */
export async function runDemo(nodeFlags: readonly string[], args: readonly string[]): Promise<number> {
  const asked = process.env['PORT']
  const port = asked || String(await firstFree(defaultPort))
  // The tour in the terminal opens no port.
  if (asked && !args.includes('--once')) await refusePort(asked)
  const main = join(checkout, 'apps/demo/src/main.ts')
  return run([process.execPath, ...nodeFlags, '--conditions=@q/source', main, ...args], { ...process.env, PORT: port })
}

async function firstFree(from: number): Promise<number> {
  let port = from
  while (!(await isFree(port)) && port < from + 20) port += 1
  return port
}

async function refusePort(text: string): Promise<void> {
  const port = Number(text)
  if (!/^\d+$/.test(text) || port > 65_535) throw new Error(`PORT=${text} is not a port: give a number up to 65535.`)
  if (port === 0 || (await isFree(port))) return
  throw new Error(
    `Port ${port} is taken: end what listens there, or choose another, as in PORT=${port + 1} npm run demo.`,
  )
}
