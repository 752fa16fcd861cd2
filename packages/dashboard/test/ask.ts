import { createDashboard, type Dashboard, type DashboardOptions } from '../src/index.ts'

/** Asks a dashboard as a browser or a program on this machine would. */
export interface Asker {
  readonly dashboard: Dashboard
  get(path: string, headers?: Record<string, string>): Promise<Response>
  /** A form of one of our own pages. */
  form(path: string, fields?: Record<string, string>, headers?: Record<string, string>): Promise<Response>
  /** A program. */
  json(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>
}

export const origin = 'http://127.0.0.1'

export function ask(options: DashboardOptions, from: string | null = '127.0.0.1'): Asker {
  const dashboard = createDashboard(options)
  const info = from === null ? {} : { remoteAddress: from }
  const send = (path: string, init: RequestInit): Promise<Response> =>
    dashboard.fetch(new Request(origin + path, init), info)
  const own = { host: '127.0.0.1', 'sec-fetch-site': 'same-origin' }
  return {
    dashboard,
    get: (path, headers = {}) => send(path, { headers: { host: '127.0.0.1', accept: 'text/html', ...headers } }),
    form: (path, fields = {}, headers = {}) =>
      send(path, {
        method: 'POST',
        body: new URLSearchParams(fields),
        headers: { ...own, 'content-type': 'application/x-www-form-urlencoded', ...headers },
      }),
    json: (method, path, body, headers = {}) =>
      send(path, {
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        headers: { ...own, 'content-type': 'application/json', ...headers },
      }),
  }
}

/** Reads a stream until something has come; fails when it ends before. */
export async function readUntil(reader: ReadableStreamDefaultReader<string>, wanted: RegExp): Promise<string> {
  const late = setTimeout(() => void reader.cancel(), 15_000)
  let text = ''
  try {
    while (!wanted.test(text)) {
      const { done, value } = await reader.read()
      if (done) throw new Error(`The stream ended before ${String(wanted)} came.`)
      text += value
    }
    return text
  } finally {
    clearTimeout(late)
  }
}
