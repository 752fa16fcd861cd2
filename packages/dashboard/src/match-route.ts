import { TrieRouter } from 'hono/router/trie-router'
import type { Method, Route } from './route.ts'
import { routes } from './routes.ts'

export interface Match {
  readonly route: Route
  readonly params: Readonly<Record<string, string>>
}

const router = new TrieRouter<Route>()
for (const route of routes) router.add(route.method, route.path, route)

const methods: readonly Method[] = ['GET', 'POST', 'PUT', 'DELETE']

/** The route of a path, or the methods that it would have been for. */
export function matchRoute(method: string, path: string): Match | { readonly allowed: readonly string[] } {
  const wanted = method === 'HEAD' ? 'GET' : method
  return find(wanted, path) ?? { allowed: methods.filter((other) => find(other, path) !== null) }
}

function find(method: string, path: string): Match | null {
  const [found] = router.match(method, path)[0]
  if (found === undefined) return null
  const [route, params] = found
  const decoded: Record<string, string> = {}
  for (const [name, value] of Object.entries(params as Record<string, string>)) {
    const text = decode(value)
    if (text === null) return null
    decoded[name] = text
  }
  return { route, params: decoded }
}

/** Once, and only once: `%252F` in an address is the name `%2F`. */
function decode(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}
