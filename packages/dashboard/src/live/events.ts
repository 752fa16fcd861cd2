import { Problem } from '../problem.ts'
import { resourceOf } from '../route.ts'
import { createTimes } from '../views/time.ts'
import { relativeLink, type Visit } from '../visit.ts'
import { renderPage } from './render-page.ts'

/** The news of one page, as server-sent events. */
export async function openEvents(visit: Visit): Promise<Response> {
  const address = visit.query.get('at') ?? '/'
  if (!address.startsWith('/') || address.length > 4000)
    throw new Problem(400, 'invalid', '`at` is the address of a page of this dashboard.')
  const url = new URL(address, 'http://page.invalid')
  const match = visit.pageAt(url.pathname)
  if (match === null) throw new Problem(404, 'not-found', 'There is no such page to follow.')
  const { route, params } = match
  if (!visit.may(route.permission, resourceOf(route.path, params)))
    throw new Problem(403, 'permission', `This needs the permission ${route.permission}.`)
  const path = url.pathname
  const looking: Visit = { ...visit, path, query: url.searchParams, params, to: (target) => relativeLink(path, target) }
  const { zone } = visit.times
  const stream = visit.site.ticker.open({
    key: `${visit.viewer.viewClass} ${zone} ${path}?${url.searchParams}`,
    render: () => renderPage(route, { ...looking, times: createTimes(zone, Date.now()) }),
  })
  if (stream === null)
    throw new Problem(503, 'too-many-viewers', 'Too many different pages are followed; ask for the page again instead.')
  return new Response(stream, {
    headers: {
      'content-type': 'text/event-stream',
      // Proxies and compressors would collect events until there are enough of them.
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    },
  })
}
