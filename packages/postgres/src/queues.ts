import { QError, type QueuesRoom, whyInvalidRate } from '@q/core/storage'
import { queueTopic } from './pokes.ts'
import type { Room } from './room.ts'
import { setQueue } from './statements/queues.ts'
import { configTopic } from './wakeups.ts'

export function createQueuesRoom({ connections, names, pokes, enter }: Room): QueuesRoom {
  return {
    set: (queue, config) =>
      enter(async () => {
        const reason = config.rate ? whyInvalidRate(config.rate) : null
        if (reason !== null) {
          throw new QError('Q_OPTION_INVALID', `Queue "${queue}" was left as it is: ${reason}. Give it another rate.`)
        }
        await names.learn([queue])
        const num = names.queue(queue)
        // What is absent stays as it is: JSON leaves it out.
        await connections.write(setQueue, [num, JSON.stringify(config)])
        pokes.tell([queueTopic(num), configTopic])
      }),
  }
}
