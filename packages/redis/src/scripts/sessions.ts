import { changing } from './changing.ts'
import { base } from './parts/base.ts'
import { handback } from './parts/handback.ts'
import { sessions } from './parts/sessions.ts'
import { script } from './script.ts'
import type { Script } from './script.ts'

/** Opens a session, or finds it open. What a replaced one still holds is handed back without charge, and that one ends. */
export const open: Script<{
  session: string
  fp: string
  server: string
  ttl: number
  info: Buffer
  replaces?: string | undefined
  publish: string
}> = script(
  'open',
  [
    ...changing,
    sessions,
    handback,
    /* lua */ `
    local facts = call('HMGET', K.session .. A.fp, 'id', 'ended')
    if facts[2] then return { err = 'QLOST' } end
    if A.replaces and A.replaces ~= A.fp then
      local former = sessionOf(A.replaces)
      if former then
        handBackSome(A.replaces, 1000000, 'undo')
        bury(A.replaces, former.ttl)
      end
    end
    if not facts[1] then
      call('HSET', K.session .. A.fp, 'id', A.session, 'opened', now, 'call', 0)
      meta.sessions = 1
    end
    call('HSET', K.session .. A.fp, 'server', A.server, 'ttl', A.ttl, 'info', A.info)
    renew(A.fp, A.ttl)
    settle()
    pushReady()
    flush()
    return 'OK'
    `,
  ],
  { runsWhenFull: true },
)

/** Renews sessions: one write each, however many jobs they hold. */
export const heartbeat: Script<{ sessions: readonly { readonly id: string; readonly fp: string }[] }> = script(
  'heartbeat',
  [
    base,
    sessions,
    /* lua */ `
    local answers = {}
    for i = 1, #A.sessions do
      local fp = A.sessions[i].fp
      local session = sessionOf(fp)
      if session and session.id == A.sessions[i].id then
        renew(fp, session.ttl)
        answers[i] = { alive = true, signals = signalsOf(fp) }
      else answers[i] = { alive = false, signals = {} } end
    end
    return mpack({ answers = answers, queues = tonumber(call('HGET', K.meta, 'config') or '0') })
    `,
  ],
  { runsWhenFull: true },
)

/** Ends a session: all it still held goes back to its place, uncharged. */
export const end: Script<{ session: string; fp: string; publish: string }> = script(
  'end',
  [
    ...changing,
    sessions,
    handback,
    /* lua */ `
    local session = sessionOf(A.fp)
    if session and session.id == A.session then
      handBackSome(A.fp, 1000000, 'undo')
      bury(A.fp, session.ttl)
      meta.sessions = 1
    end
    settle()
    pushReady()
    flush()
    return 'OK'
    `,
  ],
  { runsWhenFull: true },
)
