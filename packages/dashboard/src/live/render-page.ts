import { problemOf, type Problem } from '../problem.ts'
import type { PageRoute } from '../route.ts'
import type { Site } from '../site.ts'
import type { Fragment } from '../views/html.ts'
import { html } from '../views/html.ts'
import { type NavCounts, navigation } from '../views/layout.ts'
import type { Page, Region } from '../views/page.ts'
import { region } from '../views/page.ts'
import { empty, heading } from '../views/parts.ts'
import type { Visit } from '../visit.ts'

export interface Rendered {
  readonly page: Page
  readonly nav: Region
  /** Why this is not what is now. */
  readonly problem?: Problem | undefined
}

/**
 * Makes a page and its navigation. When the storage does not answer, the page is the last one that could be made, with
 * its age on top: who looks during an outage needs the figures most.
 */
export async function renderPage(route: PageRoute, visit: Visit): Promise<Rendered> {
  const key = `${visit.viewer.viewClass} ${visit.path}?${visit.query}`
  const memory = memoryOf(visit.site)
  try {
    const [page, counts] = await Promise.all([route.show(visit), navCounts(visit)])
    const nav = navigation(visit, counts)
    if (page.status === undefined) memory.remember(key, { page, nav }, visit.times.now)
    return { page: { ...page, regions: [outageRegion(null), ...page.regions] }, nav }
  } catch (error) {
    const problem = problemOf(error)
    if (problem.status !== 503) throw error
    const last = memory.recall(key)
    const nav = last?.rendered.nav ?? navigation(visit, {})
    const page = last?.rendered.page ?? { title: 'No answer', isLive: true, regions: [nothingYet()] }
    return {
      page: { ...page, regions: [outageRegion(outage(visit, problem, last?.at)), ...page.regions] },
      nav,
      problem,
    }
  }
}

function outageRegion(body: Fragment): Region {
  return region('outage', html`${body}`, 'outage')
}

function outage(visit: Visit, problem: Problem, at: number | undefined): Fragment {
  const age =
    at === undefined ? null : html` What you see is from ${visit.times.clock(at)}, ${visit.times.relative(at)}.`
  return html`<p class="notice bad" role="alert">
    <strong>The storage does not answer</strong> (${problem.code}).${age} This page tries again by itself.
  </p>`
}

function nothingYet(): Region {
  return region(
    'nothing',
    html`${heading('No answer')}
      <div class="panel">
        ${empty('Nothing can be shown yet.', html`<p>As soon as the storage answers, this page does too.</p>`)}
      </div>`,
  )
}

async function navCounts({ site }: Visit): Promise<NavCounts> {
  const { reader, operations } = site
  const [counts, errors, queues, recurring, servers] = await Promise.all([
    reader.counts(),
    reader.errors({ limit: 6 }),
    reader.queues(),
    reader.recurring({ limit: 100 }),
    reader.servers(),
  ])
  const names = new Set([...Object.keys(counts.byQueue), ...queues.map(({ name }) => name)])
  return {
    jobs: { value: Object.values(counts.byPhase).reduce((sum, n) => sum + n, 0) },
    errors: { value: counts.byPhase.failed, isBad: errors.items.length > 0 },
    queues: { value: names.size },
    recurring: { value: recurring.items.length },
    servers: { value: servers.filter(({ silent }) => !silent).length, isBad: servers.some(({ silent }) => silent) },
    operations: { value: operations.list().filter(({ status }) => status === 'running').length },
  }
}

/** The last good pages of a site, the newest few. */
class PageMemory {
  readonly #pages = new Map<string, { readonly rendered: Rendered; readonly at: number }>()

  remember(key: string, rendered: Rendered, at: number): void {
    this.#pages.delete(key)
    this.#pages.set(key, { rendered, at })
    if (this.#pages.size > mostPages) this.#pages.delete(this.#pages.keys().next().value!)
  }

  recall(key: string): { readonly rendered: Rendered; readonly at: number } | undefined {
    return this.#pages.get(key)
  }
}

const mostPages = 50
const memories = new WeakMap<Site, PageMemory>()

function memoryOf(site: Site): PageMemory {
  let memory = memories.get(site)
  if (memory === undefined) memories.set(site, (memory = new PageMemory()))
  return memory
}
