import { randomUUID } from 'node:crypto'
import { styleText } from 'node:util'
import { type Durability, createClient, createServer } from '@q/core'
import { openShopStorage } from '../open-storage.ts'
import { stops } from './stops.ts'
import { defineTourJobs } from './tour-jobs.ts'

const whatACrashCosts: Readonly<Record<Durability, string>> = {
  none: 'gone with this process.',
  process: 'survives a crash of the process.',
  lazy: 'survives a crash, but for the last moments.',
  synced: 'what was accepted survives a power cut.',
  quorum: 'what was accepted survives the loss of a machine.',
}

/** Shows in the terminal, one after another, what the framework does; ends by itself. */
export async function takeTour(): Promise<void> {
  const queue = `tour.${randomUUID().slice(0, 8)}`
  const post = { isOpen: true }
  const jobs = defineTourJobs(queue, post)
  const storage = await openShopStorage()
  const client = createClient({ storage, name: 'visitor' })
  const server = createServer({ storage, jobs: Object.values(jobs), queues: [queue], name: 'guide' })
  await server.start()
  console.log(`\nA tour on ${storage.label}: ${whatACrashCosts[storage.capabilities.durability]}`)
  for (const [index, { title, code, take }] of stops.entries()) {
    console.log(`\n${styleText('bold', `${index + 1}. ${title}`)}\n   ${styleText('dim', code)}`)
    await take({ client, jobs, post, queue, say: (text) => console.log(`   → ${text}`) })
  }
  await server.stop()
  await client.close()
  await storage.close()
  console.log('\nThat was the tour. `npm run demo` opens the shop and its dashboard.\n')
}
