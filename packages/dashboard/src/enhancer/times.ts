const root = document.documentElement
/** How far this clock is from that of the server. */
let offsetMs = Number(root.dataset['now']) - Date.now()
let isAbsolute = false

/** Relative times go on by themselves, one timer for all of them. */
export function startTimes(): void {
  setInterval(() => document.visibilityState === 'visible' && tickTimes(), 1000)
  document.addEventListener('click', ({ target }) => {
    if (!(target instanceof HTMLTimeElement) || target.closest('a, button') !== null) return
    isAbsolute = !isAbsolute
    tickTimes()
  })
  tickTimes()
}

export function setServerClock(now: number): void {
  offsetMs = now - Date.now()
}

export function tickTimes(): void {
  const now = Date.now() + offsetMs
  for (const time of document.querySelectorAll<HTMLTimeElement>('time[data-t="relative"], time[data-t="since"]')) {
    const text = isAbsolute ? time.title || time.dateTime : textOf(time, now)
    if (time.textContent !== text) time.textContent = text
  }
}

function textOf(time: HTMLTimeElement, now: number): string {
  const deltaMs = Date.parse(time.dateTime) - now
  if (time.dataset['t'] === 'since') return roughly(Math.max(0, -deltaMs))
  if (Math.abs(deltaMs) < 1000) return 'now'
  return deltaMs < 0 ? `${roughly(-deltaMs)} ago` : `in ${roughly(deltaMs)}`
}

function roughly(ms: number): string {
  const minute = 60_000
  if (ms < minute) return `${Math.round(ms / 1000)}\u00a0s`
  if (ms < 60 * minute) return `${Math.floor(ms / minute)}\u00a0min`
  if (ms < 2880 * minute) return `${Math.floor(ms / (60 * minute))}\u00a0h`
  return `${Math.floor(ms / (1440 * minute))}\u00a0d`
}
