import type { Theme, Visit } from './visit.ts'
import { knownZone } from './views/time.ts'

/** What a viewer chose, kept in the browser. */
export interface Settings {
  readonly theme: Theme
  readonly zone: string
}

const themeCookie = 'q_theme'
/** What the viewer chose; `q_local` is what the browser told of its own. */
const zoneCookie = 'q_zone'
const localCookie = 'q_local'

export function readCookies(header: string | null, fallbackZone: string | undefined): Settings {
  const cookies = new Map<string, string>()
  for (const part of (header ?? '').split(';').slice(0, 100)) {
    const [name, value] = part.split('=', 2)
    if (name !== undefined && value !== undefined) cookies.set(name.trim(), value.trim())
  }
  const theme = cookies.get(themeCookie)
  const local = knownZone(unescape(cookies.get(localCookie)))
  return {
    theme: theme === 'light' || theme === 'dark' ? theme : 'system',
    zone: cookies.get(zoneCookie) === 'UTC' ? 'UTC' : (local ?? knownZone(fallbackZone) ?? 'UTC'),
  }
}

function unescape(value: string | undefined): string | undefined {
  return value?.replaceAll('%2F', '/')
}

export async function saveSettings(visit: Visit, fields: URLSearchParams): Promise<Response> {
  const headers = new Headers({ location: backTo(visit, fields.get('back')) })
  const theme = fields.get('theme')
  const zone = fields.get('zone')
  if (theme === 'light' || theme === 'dark') headers.append('set-cookie', cookie(themeCookie, theme))
  if (zone === 'UTC' || zone === 'local') headers.append('set-cookie', cookie(zoneCookie, zone))
  return new Response(null, { status: 303, headers })
}

function cookie(name: string, value: string): string {
  return `${name}=${value}; Path=/; Max-Age=31536000; SameSite=Lax`
}

/** Only ever to a page of this site: a path, never an address. */
export function backTo(visit: Visit, path: string | null, done?: string): string {
  const target = path !== null && /^\/(?![/\\])[^\s\\]*$/.test(path) ? path : '/'
  const [page, query = ''] = target.split('?', 2)
  const search = new URLSearchParams(query)
  if (done !== undefined) search.set('done', done)
  return visit.to(`${page}${search.size === 0 ? '' : `?${search}`}`)
}
