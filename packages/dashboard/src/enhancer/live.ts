import { morph } from './morph.ts'
import { fetchPage, parse } from './parse.ts'
import { isChosen, refreshSelection } from './selection.ts'
import { setServerClock, tickTimes } from './times.ts'

type Mode = 'connecting' | 'on' | 'polling' | 'paused'

const words: Readonly<Record<Mode, string>> = {
  connecting: 'Connecting',
  on: 'Live',
  polling: 'Polling',
  paused: 'Paused',
}
const helloMs = 3000
const pollMs = 5000
const hiddenMs = 10_000

const address = document.documentElement.dataset['live']
let mode: Mode = 'connecting'
let source: EventSource | null = null
let timer: number | undefined
/** A list that has changed while it was being read. */
let waiting: Element | null = null

/** Follows this page while somebody looks at it; paused means not a single request. */
export function startLive(): void {
  const button = document.getElementById('live')
  if (address === undefined || button === null) return
  button.addEventListener('click', toggleLive)
  document.addEventListener('visibilitychange', () => {
    clearTimeout(timer)
    if (document.visibilityState === 'visible') {
      if (mode !== 'paused' && source === null) connect()
    } else timer = setTimeout(disconnect, hiddenMs)
  })
  addEventListener('pagehide', disconnect)
  addEventListener('pageshow', ({ persisted }) => persisted && mode !== 'paused' && connect())
  document.addEventListener('click', ({ target }) => {
    if (target instanceof Element && target.closest('#new-rows') !== null) showWaiting()
  })
  // Whoever stops reading gets what has come meanwhile.
  setInterval(() => waiting !== null && !isBeingRead(listIn(document)) && showWaiting(), 1000)
  connect()
}

export function toggleLive(): void {
  if (address === undefined) return
  if (mode === 'paused') {
    connect()
    return
  }
  disconnect()
  show('paused')
}

/** Brings every part of the page up to date at once. */
export async function refreshPage(): Promise<void> {
  const found = await fetchPage(location.href)
  if (found === null) return
  for (const part of found.page.querySelectorAll('[data-region]')) applyRegion(part.id, part)
  settle()
}

function connect(): void {
  disconnect()
  show('connecting')
  const stream = new EventSource(address!)
  source = stream
  timer = setTimeout(poll, helloMs)
  stream.addEventListener('hello', ({ data }) => {
    clearTimeout(timer)
    setServerClock((JSON.parse(String(data)) as { now: number }).now)
    show('on')
  })
  stream.addEventListener('patch', ({ data }) => {
    const { id, html } = JSON.parse(String(data)) as { id: string; html: string }
    const part = html === '' ? null : parse(html).getElementById(id)
    applyRegion(id, part)
    settle()
  })
  stream.addEventListener('error', () => {
    // A refused stream does not come back by itself; a broken one does.
    if (stream.readyState === EventSource.CLOSED) poll()
    else show('connecting')
  })
}

function disconnect(): void {
  clearTimeout(timer)
  source?.close()
  source = null
}

/** For hosts that cannot stream: the page itself, again and again. */
function poll(): void {
  disconnect()
  show('polling')
  const again = async (): Promise<void> => {
    if (document.visibilityState === 'visible') await refreshPage()
    if (mode === 'polling') timer = setTimeout(again, pollMs)
  }
  timer = setTimeout(again, pollMs)
}

function show(next: Mode): void {
  mode = next
  const button = document.getElementById('live')
  if (button === null) return
  button.className = `live ${next}`
  button.setAttribute('aria-pressed', String(next !== 'paused'))
  button.title = next === 'paused' ? 'Follow again (r)' : 'Stop following (r)'
  button.querySelector('.live-text')!.textContent = words[next]
}

// --- changing the page without getting in the way

function applyRegion(id: string, part: Element | null): void {
  const target = document.getElementById(id)
  if (target === null) {
    if (part !== null) insertRegion(part)
    return
  }
  if (part === null) {
    target.remove()
    return
  }
  const list = listIn(target)
  if (list !== null && isBeingRead(list)) {
    patchRows(target, part)
    return
  }
  waiting = null
  morph(target, part)
}

/** A part that the page did not have before: at the place it has on the page of the server. */
function insertRegion(part: Element): void {
  const main = document.getElementById('main')!
  const order = ['r-outage', 'r-health', 'r-welcome', 'r-job-head', 'r-job-why']
  const rank = order.indexOf(part.id)
  const after = [...main.querySelectorAll(':scope > [data-region]')].find((other) => {
    const own = order.indexOf(other.id)
    return own < 0 || own > rank
  })
  main.insertBefore(document.adoptNode(part), rank < 0 ? null : (after ?? null))
}

function settle(): void {
  refreshSelection()
  tickTimes()
}

function listIn(scope: ParentNode): Element | null {
  return scope.querySelector('table.jobs')
}

function isBeingRead(list: Element | null): boolean {
  if (list === null) return false
  const chosen = getSelection()
  const isMarked =
    chosen !== null && !chosen.isCollapsed && chosen.anchorNode !== null && list.contains(chosen.anchorNode)
  return (
    isChosen() ||
    isMarked ||
    list.matches(':hover') ||
    list.contains(document.activeElement) ||
    document.querySelector('dialog[open]') !== null
  )
}

/** What is in view changes in place; nothing moves, comes or goes. */
function patchRows(target: Element, part: Element): void {
  let fresh = 0
  for (const row of part.querySelectorAll('tr[id]')) {
    const old = document.getElementById(row.id)
    if (old === null) fresh++
    else morph(old, row.cloneNode(true) as Element)
  }
  waiting = part
  const pill = target.querySelector<HTMLElement>('#new-rows')
  if (pill === null) return
  pill.hidden = fresh === 0
  pill.textContent = `${fresh} new ↑`
}

function showWaiting(): void {
  const part = waiting
  waiting = null
  const target = part === null ? null : document.getElementById(part.id)
  if (part === null || target === null) return
  morph(target, part)
  settle()
}
