import type { BaseClient, Logger } from '@q/core'
import type { Reader } from '../reads/reader.ts'
import type { Rendered } from './render-page.ts'

/** What somebody looks at. Equal keys look the same, so one rendering serves all. */
export interface LiveView {
  readonly key: string
  render(): Promise<Rendered>
}

/** One clock for all viewers of a storage. It stands still when nobody looks. */
export interface Ticker {
  readonly viewers: number
  /** A stream of events; null when too many different pages are looked at, and the viewer has to poll. */
  open(view: LiveView): ReadableStream<Uint8Array> | null
  close(): void
}

interface Options {
  readonly client: BaseClient
  readonly reader: Reader
  readonly tickMs: number
  readonly logger: Logger
}

interface Room {
  readonly view: LiveView
  readonly viewers: Set<Viewer>
  /** What everybody in this room has been sent, by region. */
  sent: Map<string, Sent>
  all: Uint8Array
}

interface Sent {
  readonly sign: string
  readonly event: string
}

interface Viewer {
  readonly controller: ReadableStreamDefaultController<Uint8Array>
  /** Its buffer was full when something changed: it gets the whole of the present when it has room again. */
  isBehind: boolean
  readonly endsAt: number
}

const mostRooms = 200
const mostViewers = 2000
const mostBuffered = 64_000
/** What changes without a change in the storage (a server falls silent, a job is late) is seen this soon. */
const longestQuietMs = 5000
const heartbeatMs = 15_000
const slowMs = 200
const longestTickMs = 30_000
/** The browser comes back by itself, and is asked again who it is. */
const longestStreamMs = 5 * 60_000

export function createTicker({ client, reader, tickMs, logger }: Options): Ticker {
  const rooms = new Map<string, Room>()
  const encoder = new TextEncoder()
  let timer: NodeJS.Timeout | null = null
  let viewers = 0
  let lastChange = -1
  let lastRenderAt = 0
  let lastBeatAt = 0
  let isAway = false
  let currentMs = tickMs
  let isClosed = false

  function open(view: LiveView): ReadableStream<Uint8Array> | null {
    if (isClosed || viewers >= mostViewers) return null
    const found = rooms.get(view.key)
    if (found === undefined && rooms.size >= mostRooms) return null
    const room = found ?? { view, viewers: new Set(), sent: new Map(), all: new Uint8Array() }
    rooms.set(view.key, room)
    let viewer: Viewer
    return new ReadableStream<Uint8Array>(
      {
        start(controller) {
          viewer = { controller, isBehind: false, endsAt: performance.now() + longestStreamMs }
          room.viewers.add(viewer)
          viewers++
          controller.enqueue(encoder.encode(hello(tickMs)))
          if (room.all.byteLength > 0) controller.enqueue(room.all)
          else void renderRoom(room)
          schedule(tickMs)
        },
        cancel: () => leave(room, viewer),
      },
      { highWaterMark: mostBuffered, size: (chunk) => chunk?.byteLength ?? 0 },
    )
  }

  function leave(room: Room, viewer: Viewer): void {
    if (!room.viewers.delete(viewer)) return
    viewers--
    if (room.viewers.size === 0) rooms.delete(room.view.key)
    if (viewers === 0 && timer !== null) {
      clearTimeout(timer)
      timer = null
      lastChange = -1
    }
  }

  function schedule(ms: number): void {
    if (timer !== null || isClosed || viewers === 0) return
    timer = setTimeout(() => void tick(), ms)
    timer.unref()
  }

  async function tick(): Promise<void> {
    const startedAt = performance.now()
    try {
      if (await hasNews(startedAt)) {
        lastRenderAt = startedAt
        reader.forget()
        await Promise.all([...rooms.values()].map(renderRoom))
      }
    } catch (error) {
      logger.error('live pages could not be brought up to date', { error: String(error) })
    }
    const tookMs = performance.now() - startedAt
    if (startedAt - lastBeatAt > heartbeatMs) beat(startedAt)
    endOldStreams(startedAt)
    currentMs = tookMs > slowMs ? Math.min(currentMs * 2, longestTickMs) : tickMs
    timer = null
    schedule(Math.max(10, currentMs - tookMs))
  }

  /** An outage is news too: the pages say so. */
  async function hasNews(now: number): Promise<boolean> {
    try {
      const change = await client.monitor.changes({ timeoutMs: 2000 })
      const isNew = change !== lastChange || isAway
      lastChange = change
      isAway = false
      return isNew || now - lastRenderAt > longestQuietMs
    } catch {
      const isNew = !isAway
      isAway = true
      return isNew || now - lastRenderAt > longestQuietMs
    }
  }

  async function renderRoom(room: Room): Promise<void> {
    let rendered: Rendered
    try {
      rendered = await room.view.render()
    } catch (error) {
      logger.error('a live page could not be made', { page: room.view.key, error: String(error) })
      return
    }
    const regions = [rendered.nav, ...rendered.page.regions]
    const changed: string[] = []
    const sent = new Map<string, Sent>()
    for (const { id, html } of regions) {
      const markup = html.toString()
      const sign = signOf(markup)
      const before = room.sent.get(id)
      const isSame = before?.sign === sign
      const event = isSame ? before.event : `event: patch\ndata: ${JSON.stringify({ id, html: markup })}\n\n`
      if (!isSame) changed.push(event)
      sent.set(id, { sign, event })
    }
    // What the page has no more is emptied, not left standing.
    for (const id of room.sent.keys())
      if (!sent.has(id)) changed.push(`event: patch\ndata: ${JSON.stringify({ id, html: '' })}\n\n`)
    if (changed.length === 0) return catchUp(room)
    room.sent = sent
    room.all = encoder.encode([...sent.values()].map(({ event }) => event).join(''))
    send(room, encoder.encode(changed.join('')))
  }

  function send(room: Room, news: Uint8Array): void {
    for (const viewer of room.viewers) {
      if ((viewer.controller.desiredSize ?? 0) <= 0) viewer.isBehind = true
      else if (viewer.isBehind) bringUp(room, viewer)
      else viewer.controller.enqueue(news)
    }
  }

  function catchUp(room: Room): void {
    for (const viewer of room.viewers)
      if (viewer.isBehind && (viewer.controller.desiredSize ?? 0) > 0) bringUp(room, viewer)
  }

  function bringUp(room: Room, viewer: Viewer): void {
    viewer.isBehind = false
    viewer.controller.enqueue(room.all)
  }

  /** Keeps proxies from closing what is silent. */
  function beat(now: number): void {
    lastBeatAt = now
    const comment = encoder.encode(': still here\n\n')
    for (const room of rooms.values())
      for (const { controller } of room.viewers) if ((controller.desiredSize ?? 0) > 0) controller.enqueue(comment)
  }

  function endOldStreams(now: number): void {
    for (const room of rooms.values()) {
      for (const viewer of room.viewers) {
        if (viewer.endsAt > now) continue
        viewer.controller.close()
        leave(room, viewer)
      }
    }
  }

  return {
    get viewers() {
      return viewers
    },
    open,
    close() {
      isClosed = true
      for (const room of rooms.values()) {
        for (const viewer of room.viewers) {
          viewer.controller.close()
          leave(room, viewer)
        }
      }
    },
  }
}

function hello(tickMs: number): string {
  return `retry: 2000\nevent: hello\ndata: ${JSON.stringify({ now: Date.now(), tickMs })}\n\n`
}

/** Relative times go on by themselves in the browser: that a minute has passed is no news. */
function signOf(markup: string): string {
  return markup.replace(/(<time [^>]*>)[^<]*/g, '$1')
}
