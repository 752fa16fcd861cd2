import type { ServerView } from '@q/core'
import type { JobSummary } from '@q/core/storage'
import { plural } from '../views/format.ts'
import type { Html } from '../views/html.ts'
import { html } from '../views/html.ts'
import type { Page } from '../views/page.ts'
import { region } from '../views/page.ts'
import { bar, empty, facts, heading, snippet } from '../views/parts.ts'
import type { Visit } from '../visit.ts'
import { segment } from '../visit.ts'

/** Who works, and on what. */
export async function serversPage(visit: Visit): Promise<Page> {
  const { reader } = visit.site
  const servers = await reader.servers()
  const shown = servers.slice(0, mostServers)
  const running = await Promise.all(
    shown.map(async ({ session, held }) =>
      held === 0 ? { items: [] } : reader.jobs({ session, phase: ['active'] }, { limit: 10, order: 'oldest' }),
    ),
  )
  const versions = new Set(servers.flatMap(({ info }) => info?.version ?? []))
  return {
    title: 'Servers',
    isLive: true,
    regions: [
      region(
        'servers-head',
        html`${heading('Servers', null, 'Processes that run jobs, and what each of them runs now.')}${versions.size > 1 ? html`<p class="sentence warn"><span class="glyph" aria-hidden="true">▲</span><span>They run ${plural(versions.size, 'version')} of Q: ${[...versions].join(', ')}.</span></p>` : null}`,
      ),
      region(
        'servers-list',
        servers.length === 0
          ? html`<div class="panel">
              ${empty(
                'No server is running.',
                html`<p>Jobs wait until one starts. A server appears here as soon as it has opened its session.</p>
                  ${snippet('await using server = createServer({ storage, jobs: [sendMail, report] })\nawait server.start()')}`,
              )}
            </div>`
          : html`<ul class="cards">
                ${shown.map((server, index) => card(visit, server, running[index]!.items))}
              </ul>
              ${servers.length > shown.length ? html`<p class="quiet">and ${plural(servers.length - shown.length, 'other')}</p>` : null}`,
      ),
    ],
  }
}

const mostServers = 100

function card(visit: Visit, server: ServerView, jobs: readonly JobSummary[]): Html {
  const { name, info, held, silent, seenAt, startedAt } = server
  const total = info?.concurrency
  return html`<li class="panel server ${silent ? 'silent' : ''}" id="s-${segment(server.session)}">
    <div class="server-head">
      <h2>${name}</h2>
      ${silent ? html`<span class="chip failed">▲ silent</span>` : html`<span class="chip succeeded"><span class="glyph" aria-hidden="true">♥</span>alive</span>`}
      <span class="spacer"></span>
      <span class="slots"
        >${total === undefined ? null : bar(held / Math.max(1, total))}<span
          >${held}${total === undefined ? null : ` of ${total}`} slots</span
        ></span
      >
    </div>
    ${silent ? html`<p class="warn-text pad-x">Not heard of for ${visit.times.since(seenAt)}: ${held === 0 ? 'it held no jobs.' : `${plural(held, 'job')} ${held === 1 ? 'is' : 'are'} about to be handed on.`}</p>` : null}
    ${facts([
      ['Up', visit.times.since(startedAt)],
      ['Last heard', visit.times.relative(seenAt)],
      ...(info === undefined
        ? []
        : ([
            ['Queues', info.queues.map((queue) => html`<span class="tag">${queue}</span>`)],
            ['Kinds', html`<span title="${info.jobs.slice(0, 100).join('\n')}">${info.jobs.length}</span>`],
            ['Process', `${info.host}, ${info.pid}`],
            ['Version', html`${info.version} <span class="quiet">Node ${info.node}</span>`],
          ] as const)),
    ])}
    ${
      jobs.length === 0
        ? html`<p class="quiet pad">Runs nothing at this moment.</p>`
        : html`<ul class="rows running">
              ${jobs.map((job) => html`<li><span class="glyph processing" aria-hidden="true">▶</span><a class="cut" href="${visit.to(`/jobs/${job.id}`)}">${job.name}</a><span class="spacer"></span><span class="quiet">for ${visit.times.since(job.state.at)}</span></li>`)}
            </ul>
            ${held > jobs.length ? html`<p class="pad-x"><a class="more" href="${visit.to(`/jobs?q=${encodeURIComponent(`server:"${name.replace(/["\\]/g, '\\$&')}"`)}`)}">All ${held}</a></p>` : null}`
    }
  </li>`
}
