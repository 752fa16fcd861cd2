import { Redis } from 'ioredis'
import type { Bench, Contender, Data, Place } from '../contender.ts'

/** A list and a set, a hundred at a time, no history: what the driver and the server can do at most. */
export const contenders: readonly Contender[] = [
  { name: 'raw ioredis', storage: 'redis', setting: 'raw', isSerial: true, open },
]

const batch = 100
const waiting = 'raw:waiting'
const active = 'raw:active'
const takeAndFinish = `
if #ARGV > 1 then redis.call('HDEL', KEYS[2], unpack(ARGV, 2)) end
local taken = redis.call('LPOP', KEYS[1], ARGV[1])
if not taken then return {} end
for _, job in ipairs(taken) do redis.call('HSET', KEYS[2], job, 1) end
return taken`

async function open({ url }: Place): Promise<Bench> {
  const redis = new Redis(url)
  const sha = (await redis.script('LOAD', takeAndFinish)) as string
  return {
    enqueue: (data) => redis.rpush(waiting, JSON.stringify(data)),
    enqueueMany: (list) => redis.rpush(waiting, ...list.map((data) => JSON.stringify(data))),
    async work(_concurrency, handle) {
      let isRunning = true
      const loop = async (): Promise<void> => {
        let done: string[] = []
        while (isRunning) {
          done = (await redis.evalsha(sha, 2, waiting, active, batch, ...done)) as string[]
          for (const job of done) await handle(JSON.parse(job) as Data)
          if (done.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
        }
      }
      const running = loop()
      return {
        async stop() {
          isRunning = false
          await running
        },
      }
    },
    unfinished: async () => (await redis.llen(waiting)) + (await redis.hlen(active)),
    async close() {
      redis.disconnect()
    },
  }
}
