import { createHash } from 'node:crypto'
import type { Problem } from '../problem.ts'
import type { Fragment } from '../views/html.ts'
import { html, trusted } from '../views/html.ts'
import { snippet } from '../views/parts.ts'

export type RefusalReason = 'closed' | 'denied' | 'failed' | 'cross-site' | 'read-only' | 'permission'

/** A page outside the frame, for those who may not see the frame: no asset of ours is needed to read it. */
export function refusalPage(problem: Problem, reason: RefusalReason | undefined): Response {
  const page = html`${trusted('<!doctype html>')}
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${headings[problem.status] ?? 'Error'}</title>
        <style>
          ${trusted(styles)}
        </style>
      </head>
      <body>
        <main>
          <p class="code">${problem.status}</p>
          <h1>${headings[problem.status] ?? 'Something went wrong'}</h1>
          <p>${problem.message}</p>
          ${lesson(reason)}
        </main>
      </body>
    </html>`
  return new Response(page.toString(), {
    status: problem.status,
    headers: { 'content-type': 'text/html; charset=utf-8', 'x-style-hash': styleHash },
  })
}

const headings: Readonly<Record<number, string>> = {
  400: 'That was not understood',
  403: 'Closed',
  404: 'Not found',
  409: 'It has changed meanwhile',
  413: 'Too large',
  421: 'Not under this name',
  503: 'The storage does not answer',
}

function lesson(reason: RefusalReason | undefined): Fragment {
  if (reason !== 'closed') return null
  return html`<h2>How to open it</h2>
    <p>Say who may come in, where the dashboard is created:</p>
    ${snippet(example)}
    <p>Requests through a proxy are never local, whatever their address: the headers a proxy adds close this door.</p>`
}

const example = `createDashboard({
  client,
  authorize: ({ request }) => {
    const user = userOf(request)              // your session, your rules
    return user?.isAdmin ? { user: user.name, can: 'admin' } : null
  },                                          // 'viewer' | 'operator' | 'admin'
})`

const styles =
  ':root{color-scheme:light dark}body{margin:0;min-height:100vh;display:grid;place-items:center;font:15px/1.6 system-ui,sans-serif;background:light-dark(#f6f7f9,#0f141b);color:light-dark(#18202b,#e6eaf0)}main{box-sizing:border-box;width:min(42rem,100vw);padding:2rem}.code{margin:0;font-weight:600;color:light-dark(#556070,#9aa6b5);letter-spacing:.08em}h1{margin:.1em 0 .4em;font-size:1.6rem;line-height:1.2}h2{font-size:1rem;margin:2em 0 0}pre{overflow:auto;padding:1rem;border:1px solid light-dark(#d9dee5,#2b3542);border-radius:10px;background:light-dark(#fff,#171e27);font:13px/1.6 ui-monospace,monospace}'

const styleHash = `'sha256-${createHash('sha256').update(styles).digest('base64')}'`
