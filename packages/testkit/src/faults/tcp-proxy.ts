import { once } from 'node:events'
import { createServer, connect } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

interface Pair {
  readonly client: Socket
  readonly server: Socket
  /** The client has sent something that was not answered yet. */
  asked: boolean
  broken: boolean
}

type Direction = 'requests' | 'replies'

/** Connections that were ended have this long to go by themselves when the line is taken down. */
const lingerMs = 500

/**
 * A line to a TCP server that fails on command, in this process: late, slow, cut at a byte, black, or with exactly one
 * request or reply missing. What was not asked for is passed on as it is.
 *
 * @example
 * await using proxy = await TcpProxy.open({ host: '127.0.0.1', port: 6379 })
 * const redis = new Redis(proxy.port)
 * proxy.loseReply()      // the next answer never arrives, then the connection breaks
 */
export class TcpProxy implements AsyncDisposable {
  readonly host = '127.0.0.1'
  readonly port: number
  /** How often a planned fault has struck. */
  struck = 0
  readonly #server: Server
  readonly #pairs = new Set<Pair>()
  /** All that are not closed yet, also of pairs that were broken. */
  readonly #sockets = new Set<Socket>()
  #delayMs = 0
  #bytesPerSecond = Infinity
  #black = false
  #held: { pair: Pair; bytes: Buffer }[] | null = null
  #lost: { readonly of: Direction; skip: number } | null = null
  #cut: { readonly of: Direction; bytes: number } | null = null

  private constructor(server: Server, target: { readonly host: string; readonly port: number }) {
    this.#server = server
    this.port = (server.address() as AddressInfo).port
    server.on('connection', (client) => this.#join(client, connect({ ...target, noDelay: true })))
  }

  static async open(target: { readonly host: string; readonly port: number }): Promise<TcpProxy> {
    const server = createServer({ noDelay: true })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return new TcpProxy(server, target)
  }

  /** Every chunk arrives so much later, in both directions. */
  delay(ms: number): void {
    this.#delayMs = ms
  }

  slow(bytesPerSecond: number): void {
    this.#bytesPerSecond = bytesPerSecond
  }

  /** Connections stay open, and nothing arrives any more. */
  blackHole(): void {
    this.#black = true
  }

  /** The connection breaks in the middle: after so many more bytes of this direction. */
  cutAfter(bytes: number, of: Direction): void {
    this.#cut = { of, bytes }
  }

  /** One request, after `skip` others, never arrives. Its connection breaks. */
  loseRequest(skip = 0): void {
    this.#lost = { of: 'requests', skip }
  }

  /** One reply, after `skip` others, never arrives, though the server did its work. Its connection breaks. */
  loseReply(skip = 0): void {
    this.#lost = { of: 'replies', skip }
  }

  /** Keeps what clients send until it is released; their connections can be broken meanwhile without the server knowing. */
  hold(): void {
    this.#held = []
  }

  /** True once something is held. */
  get holding(): boolean {
    return this.#held !== null && this.#held.length > 0
  }

  /** Breaks the connections of those whose bytes are held: they give up. New ones pass. */
  abandon(): void {
    for (const { pair } of this.#held ?? []) {
      this.#pairs.delete(pair)
      pair.broken = true
      reset(pair.client)
    }
  }

  /** What was held arrives at the server now, and is answered to nobody that gave up. Resolves when the server has answered it all. */
  async release(): Promise<void> {
    const held = this.#held ?? []
    this.#held = null
    const answers = [...new Set(held.map(({ pair }) => pair))].map(({ server }) =>
      Promise.race([once(server, 'data'), once(server, 'close'), pause(2_000, undefined, { ref: false })]),
    )
    for (const { pair, bytes } of held) pair.server.write(bytes)
    await Promise.all(answers)
    for (const { pair } of held) if (pair.client.destroyed) pair.server.destroy()
  }

  /** Breaks every connection now; new ones pass. */
  cut(): void {
    for (const pair of this.#pairs) this.#break(pair)
  }

  /** From now on everything passes at once. Connections in a black hole are broken, so that their owners notice. */
  heal(): void {
    if (this.#black) this.cut()
    this.#black = false
    this.#delayMs = 0
    this.#bytesPerSecond = Infinity
    this.#lost = null
    this.#cut = null
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.cut()
    const ends = [...this.#sockets].map((socket) => new Promise((resolve) => socket.once('close', resolve)))
    await Promise.race([Promise.all(ends), pause(lingerMs, undefined, { ref: false })])
    // A server that is down or busy does not answer an end.
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }

  #join(client: Socket, server: Socket): void {
    const pair: Pair = { client, server, asked: false, broken: false }
    this.#pairs.add(pair)
    for (const socket of [client, server]) {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    }
    client.setNoDelay(true)
    this.#carry(pair, client, server, 'requests')
    this.#carry(pair, server, client, 'replies')
  }

  #carry(pair: Pair, from: Socket, to: Socket, direction: Direction): void {
    let order: Promise<void> = Promise.resolve()
    let waiting = 0
    from.on('error', () => this.#break(pair))
    from.on('close', () => {
      if (direction === 'requests' && this.#isHeld(pair)) return
      void order.then(() => to.end())
      this.#pairs.delete(pair)
    })
    from.on('data', (bytes: Buffer) => {
      const passed = this.#inspect(pair, bytes, direction)
      if (passed === null) return
      const waitMs = this.#delayMs + (passed.length / this.#bytesPerSecond) * 1000
      // Also on a line that was healed meanwhile: nothing overtakes what is still on its way.
      if (waitMs === 0 && waiting === 0) {
        to.write(passed)
        return
      }
      waiting++
      order = order.then(async () => {
        if (waitMs > 0) await pause(waitMs, undefined, { ref: false })
        waiting--
        if (!to.destroyed && !to.writableEnded) to.write(passed)
      })
    })
  }

  /** The part of these bytes that may pass on; null = nothing. */
  #inspect(pair: Pair, bytes: Buffer, direction: Direction): Buffer | null {
    if (this.#black) return null
    const newTurn = direction === 'requests' ? !pair.asked : pair.asked
    pair.asked = direction === 'requests'
    if (this.#lost?.of === direction && newTurn && this.#lost.skip-- === 0) {
      this.#lost = null
      this.#strike(pair)
      return null
    }
    if (this.#cut?.of === direction) {
      if (bytes.length > this.#cut.bytes) {
        const last = bytes.subarray(0, this.#cut.bytes)
        this.#cut = null
        ;(direction === 'requests' ? pair.server : pair.client).write(last)
        this.#strike(pair)
        return null
      }
      this.#cut.bytes -= bytes.length
    }
    if (direction === 'requests' && this.#held !== null && !this.#hasGivenUp()) {
      this.#held.push({ pair, bytes })
      return null
    }
    return bytes
  }

  #isHeld(pair: Pair): boolean {
    return this.#held?.some((held) => held.pair === pair) ?? false
  }

  /** After `abandon`, what others send passes: only the abandoned requests are still on their way. */
  #hasGivenUp(): boolean {
    return this.#held?.some(({ pair }) => pair.client.destroyed) ?? false
  }

  #strike(pair: Pair): void {
    this.struck++
    this.#break(pair)
  }

  #break(pair: Pair): void {
    this.#pairs.delete(pair)
    if (pair.broken) return
    pair.broken = true
    reset(pair.client)
    // The server may still be reading what was sent before: it gets an end, not a reset.
    if (!pair.server.destroyed) pair.server.end()
  }
}

/**
 * A reset that is asked for while an end is on its way is refused: then the socket stays open for good, and keeps its
 * process from ending. So nothing is reset twice, or after its end.
 */
function reset(socket: Socket): void {
  if (socket.writableEnded) socket.destroy()
  else if (!socket.destroyed) socket.resetAndDestroy()
}
