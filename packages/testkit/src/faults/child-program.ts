import process from 'node:process'
import type { JobStorage } from '@q/core/storage'
import { isQError } from '@q/core/storage'
import type { ChildCall, ChildPlan, ChildReply } from './child.ts'
import { shiftClock } from './shift-clock.ts'

/** The other side of `openChild`: opens the storage it is told to, and makes the calls it is sent. */
const plan = JSON.parse(process.argv[2]!) as ChildPlan
if (plan.clockShiftMs !== 0) shiftClock(plan.clockShiftMs)
const { openStorage } = (await import(plan.module)) as { openStorage(argument: string): JobStorage }
const storage = openStorage(plan.argument)

process.on('disconnect', () => process.exit())
process.on('message', (call) => void answer(call as ChildCall))

async function answer({ id, path, args }: ChildCall): Promise<void> {
  try {
    send({ id, value: await perform(path, args) })
  } catch (error) {
    send({ id, error: { code: isQError(error) ? error.code : null, message: String(error) } })
  }
}

async function perform(path: readonly string[], args: readonly unknown[]): Promise<unknown> {
  if (path[0] === 'hello') {
    await storage.start()
    return [{ ...storage.capabilities }, storage.label]
  }
  let owner: unknown = undefined
  let found: unknown = storage
  for (const key of path) {
    owner = found
    found = Reflect.get(found as object, key)
  }
  if (typeof found !== 'function') throw new TypeError(`there is no ${path.join('.')} in this storage`)
  return found.apply(owner, args)
}

function send(reply: ChildReply): void {
  process.send?.(reply)
}
