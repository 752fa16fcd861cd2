import { createServer } from 'node:net'

/**
 * A port nobody listens on, below the range from which systems take the local ports of outgoing connections. There, a
 * client that retries while its server is down could be given the server's own port, and the server could not return.
 * `distance` asks for a second free port that much higher (the bus of a Redis Cluster node).
 */
export async function freePort(distance = 0): Promise<number> {
  for (let attempt = 0; attempt < 200; attempt += 1) {
    const port = 10_000 + Math.floor(Math.random() * (22_000 - distance))
    if ((await isFree(port)) && (distance === 0 || (await isFree(port + distance)))) return port
  }
  throw new Error('No free port found between 10000 and 32000 on 127.0.0.1 in 200 attempts: end what listens there.')
}

export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })
}
