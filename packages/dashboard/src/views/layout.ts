import type { Visit } from '../visit.ts'
import { patterns } from './chart.ts'
import { compact } from './format.ts'
import type { Fragment, Html } from './html.ts'
import { html, trusted } from './html.ts'
import type { IconName } from './icons.ts'
import { icon } from './icons.ts'
import type { Page, Region } from './page.ts'
import { region } from './page.ts'
import { currentPage } from './parts.ts'
import { noticeOf } from './notice.ts'

export interface Assets {
  readonly script: string
  readonly styles: string
}

/** The frame round every page. It stands even when the storage does not. */
export function layout(visit: Visit, page: Page, nav: Region, assets: Assets): Html {
  const { to, theme, path, times } = visit
  const search = visit.query.toString()
  const address = `${path}${search === '' ? '' : `?${search}`}`
  return html`${doctype}
    <html
      lang="en"
      ${theme === 'system' ? null : html`data-theme="${theme}"`}
      data-root="${to('/')}"
      data-zone="${times.zone}"
      data-now="${times.now}"
      ${page.isLive ? html`data-live="${to('/events')}?at=${encodeURIComponent(address)}"` : null}
    >
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="robots" content="noindex" />
        <title>${page.title} · Q</title>
        <link rel="icon" href="${icon32}" />
        <link rel="stylesheet" href="${to(assets.styles)}" />
        <script type="module" src="${to(assets.script)}"></script>
      </head>
      <body>
        <a class="skip" href="#main">Skip to the content</a>
        ${patterns}
        <div class="frame">
          <div class="side">
            <div class="brand">
              <a href="${to('/')}" class="logo" aria-label="Q, overview">${mark}</a>${siteSwitch(visit)}
            </div>
            ${nav.html} ${footer(visit, page)}
          </div>
          <main id="main" tabindex="-1">
            ${banner(visit)}
            <div id="notice" role="status">${noticeOf(visit.query.get('done'))}</div>
            ${page.regions.map((part) => part.html)}
          </main>
        </div>
        <div id="toast" role="status" aria-live="polite"></div>
      </body>
    </html>`
}

const doctype = trusted('<!doctype html>\n')
const icon32 = trusted(
  `data:image/svg+xml,${encodeURIComponent('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#1a4fc4"/><path d="M16 7a9 9 0 1 0 0 18 9 9 0 0 0 0-18m3 12 5 5" fill="none" stroke="#fff" stroke-width="3.2" stroke-linecap="round"/></svg>')}`,
)
const mark = trusted(
  '<svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true" focusable="false"><rect class="mark-ground" width="32" height="32" rx="8"/><path class="mark-line" d="M16 7a9 9 0 1 0 0 18 9 9 0 0 0 0-18m3 12 5 5"/></svg>',
)

const sections: readonly {
  readonly name: IconName
  readonly title: string
  readonly path: string
  readonly key: string
}[] = [
  { name: 'overview', title: 'Overview', path: '/', key: 'o' },
  { name: 'jobs', title: 'Jobs', path: '/jobs', key: 'j' },
  { name: 'errors', title: 'Errors', path: '/errors', key: 'e' },
  { name: 'queues', title: 'Queues', path: '/queues', key: 'q' },
  { name: 'recurring', title: 'Recurring', path: '/recurring', key: 'r' },
  { name: 'servers', title: 'Servers', path: '/servers', key: 's' },
  { name: 'metrics', title: 'Metrics', path: '/metrics', key: 'm' },
  { name: 'operations', title: 'Operations', path: '/operations', key: 'b' },
]

export type NavCounts = Partial<Record<IconName, { readonly value: number; readonly isBad?: boolean }>>

export function navigation(visit: Visit, counts: NavCounts): Region {
  const items = sections.map(({ name, title, path, key }) => {
    const isHere = path === '/' ? visit.path === '/' : visit.path === path || visit.path.startsWith(`${path}/`)
    const found = counts[name]
    const badge: Fragment =
      found === undefined || found.value === 0
        ? null
        : html`<span class="badge ${found.isBad === true ? 'bad' : ''}">${compact(found.value)}</span>`
    return html`<li>
      <a href="${visit.to(path)}" data-key="${key}" ${isHere ? currentPage : null}
        >${icon(name)}<span>${title}</span>${badge}</a
      >
    </li>`
  })
  return {
    id: 'r-nav',
    html: region(
      'nav',
      html`<nav aria-label="Pages">
        <ul>
          ${items}
        </ul>
      </nav>`,
      'nav',
    ).html,
  }
}

function siteSwitch(visit: Visit): Html {
  const { sites, site } = visit
  if (sites.length < 2) return html`<span class="site">${site.name === 'main' ? 'Jobs' : site.name}</span>`
  const others = sites.filter((name) => name !== site.name)
  return html`<details class="site-switch">
    <summary>${site.name}</summary>
    <ul>
      ${others.map((name) => html`<li><a href="${visit.to(`/../${encodeURIComponent(name)}/`)}">${name}</a></li>`)}
    </ul>
  </details>`
}

function footer(visit: Visit, page: Page): Html {
  const { theme, times, to, viewer, path } = visit
  const next = theme === 'dark' ? 'light' : 'dark'
  const isUtc = times.zone === 'UTC'
  return html`<div class="foot">
    ${page.isLive ? html`<button type="button" id="live" class="live" aria-pressed="true"><span class="live-dot" aria-hidden="true"></span><span class="live-text">Connecting</span></button>` : null}
    ${viewer.user === undefined ? null : html`<span class="who" title="Signed in as ${viewer.user}">${viewer.user}</span>`}
    <form method="post" action="${to('/settings')}" class="settings">
      <input type="hidden" name="back" value="${path}" />
      <button name="theme" value="${next}" id="theme" class="plain" title="Switch to ${next} (t)">
        ${icon('theme')}<span>${next === 'dark' ? 'Dark' : 'Light'}</span>
      </button>
      <button
        name="zone"
        value="${isUtc ? 'local' : 'UTC'}"
        id="zone"
        class="plain"
        title="Times are shown in ${times.zone}"
      >
        ${isUtc ? 'UTC' : zoneName(times.zone)}
      </button>
    </form>
  </div>`
}

function zoneName(zone: string): string {
  return zone.slice(zone.lastIndexOf('/') + 1).replaceAll('_', ' ')
}

function banner({ viewer, isReadOnly }: Visit): Fragment {
  if (viewer.isLocal) {
    return html`<p class="banner">
      <strong>Open to this machine only.</strong> Give <code>authorize</code> before anybody else should see it.
    </p>`
  }
  return isReadOnly && html`<p class="banner">This dashboard is read-only.</p>`
}
