import type { Cluster, Redis } from 'ioredis'

/** The connection on which wake-ups arrive. It subscribes again whenever it has come back. */
export interface Subscriber {
  /** Resolves once the server confirmed the subscription, or did not in time: then it is asked again whenever the line is back. */
  ready(): Promise<void>
  /** Has the server confirm the subscription anew, so that a line that died without a word is noticed and rebuilt. */
  confirm(): Promise<void>
  listen(hear: (message: Buffer) => void, missed: () => void): () => void
  close(): void
}

const answerMs = 5_000

export function createSubscriber(client: Redis | Cluster, channel: string, isSharded: boolean): Subscriber {
  const event = isSharded ? 'smessageBuffer' : 'messageBuffer'
  let isSubscribed = false
  let isClosed = false
  let asking: Promise<void> | undefined
  /** Since the line was down or silent: what was said meanwhile is lost. */
  let isOwed = false
  let onMissed = (): void => undefined

  async function subscribe(): Promise<void> {
    const answer = isSharded ? client.ssubscribe(channel) : client.subscribe(channel)
    isSubscribed = await isAnswered(answer)
    if (isClosed) return
    if (isSubscribed && isOwed) onMissed()
    isOwed = !isSubscribed
    // Without it wake-ups are late, never lost for good.
    if (!isSubscribed) client.disconnect(true)
  }
  const confirm = (): Promise<void> => (asking ??= subscribe().finally(() => (asking = undefined)))

  return {
    ready: async () => (isSubscribed ? undefined : confirm()),
    confirm,
    listen(hear, missed) {
      onMissed = missed
      const onMessage = (_: Buffer, message: Buffer): void => hear(message)
      const onReady = (): void => void confirm()
      const onClose = (): void => {
        isSubscribed = false
        isOwed = true
      }
      client.on(event, onMessage)
      client.on('close', onClose)
      client.on('ready', onReady)
      return () => {
        client.off(event, onMessage)
        client.off('close', onClose)
        client.off('ready', onReady)
      }
    },
    close() {
      isClosed = true
      client.disconnect()
    },
  }
}

/** False when it was refused, or nothing came. */
function isAnswered(answer: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), answerMs)
    const settle = (isConfirmed: boolean): void => {
      clearTimeout(timer)
      resolve(isConfirmed)
    }
    answer.then(
      () => settle(true),
      () => settle(false),
    )
  })
}
