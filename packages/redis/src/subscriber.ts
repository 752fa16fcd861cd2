import type { Cluster, Redis } from 'ioredis'

/** The connection on which wake-ups arrive. It subscribes again whenever it has come back. */
export interface Subscriber {
  ready(): Promise<void>
  listen(hear: (message: Buffer) => void, missed: () => void): () => void
  close(): void
}

export function createSubscriber(client: Redis | Cluster, channel: string, isSharded: boolean): Subscriber {
  const event = isSharded ? 'smessageBuffer' : 'messageBuffer'
  let subscribed: Promise<unknown> | undefined
  let wasReady = false

  const subscribe = (): Promise<unknown> => (isSharded ? client.ssubscribe(channel) : client.subscribe(channel))

  return {
    async ready() {
      subscribed ??= subscribe()
      try {
        await subscribed
      } catch {
        // Without it wake-ups are late, never lost for good: the next watch tries again.
        subscribed = undefined
      }
    },
    listen(hear, missed) {
      const onMessage = (_: Buffer, message: Buffer): void => hear(message)
      const onReady = (): void => {
        if (wasReady) missed()
        wasReady = true
      }
      client.on(event, onMessage)
      client.on('ready', onReady)
      return () => {
        client.off(event, onMessage)
        client.off('ready', onReady)
      }
    },
    close: () => client.disconnect(),
  }
}
