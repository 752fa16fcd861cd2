import { openDialog } from './dialogs.ts'
import { toggleLive } from './live.ts'
import { clearSelection, isChosen, toggleRow } from './selection.ts'
import { toggleTheme } from './settings.ts'

const help: readonly (readonly [string, string])[] = [
  ['/', 'Search'],
  ['Ctrl K', 'Go to'],
  ['j k', 'Next, previous row'],
  ['Enter', 'Open the row'],
  ['x', 'Select the row'],
  ['Esc', 'Clear the selection'],
  ['r', 'Stop or go on following'],
  ['t', 'Light or dark'],
  ['g o', 'Overview'],
  ['g j', 'Jobs'],
  ['g e', 'Errors'],
  ['g q', 'Queues'],
  ['g r', 'Recurring'],
  ['g s', 'Servers'],
  ['g m', 'Metrics'],
  ['g b', 'Operations'],
]

const offKey = 'q.keys.off'
let isGoing = false

/** Single keys, while nothing has the focus that they would be typed into. They can be switched off. */
export function startKeys(): void {
  document.addEventListener('keydown', (event) => {
    const { target } = event
    if (event.ctrlKey || event.metaKey || event.altKey || !(target instanceof Element)) return
    if (target.closest('input, select, textarea, [contenteditable], dialog') !== null) return
    if (event.key === '?') return showHelp()
    if (localStorage.getItem(offKey) !== null) return
    if (press(event.key)) event.preventDefault()
  })
}

function press(key: string): boolean {
  if (isGoing) {
    isGoing = false
    const link = document.querySelector<HTMLAnchorElement>(`nav a[data-key="${CSS.escape(key)}"]`)
    link?.click()
    return link !== null
  }
  switch (key) {
    case 'g':
      isGoing = true
      setTimeout(() => (isGoing = false), 1500)
      return true
    case '/': {
      const field = document.getElementById('q')
      if (field === null) location.assign(`${document.documentElement.dataset['root']}jobs`)
      else field.focus()
      return true
    }
    case 'j':
    case 'k':
      return move(key === 'j' ? 1 : -1)
    case 'x': {
      const row = rows().find((one) => one.classList.contains('here'))
      if (row !== undefined) toggleRow(row)
      return row !== undefined
    }
    case 'Escape':
      if (!isChosen()) return false
      clearSelection()
      return true
    case 'r':
      toggleLive()
      return true
    case 't':
      toggleTheme()
      return true
    default:
      return false
  }
}

function rows(): HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>('table.jobs tbody tr, table.stack tbody tr, .cards > li')]
}

/** The focus goes along, so that Enter opens it and a screen reader says it. */
function move(by: 1 | -1): boolean {
  const all = rows()
  if (all.length === 0) return false
  const at = all.findIndex((row) => row.classList.contains('here') || row.contains(document.activeElement))
  const next = all[Math.max(0, Math.min(all.length - 1, at + by))]!
  for (const row of all) row.classList.toggle('here', row === next)
  next.querySelector<HTMLAnchorElement>('.what a, .card-title')?.focus({ preventScroll: true })
  next.scrollIntoView({ block: 'nearest' })
  return true
}

function showHelp(): void {
  const title = document.createElement('h2')
  title.textContent = 'Keys'
  const list = document.createElement('dl')
  list.className = 'keys'
  for (const [keys, meaning] of help) {
    const row = document.createElement('div')
    const term = document.createElement('dt')
    for (const key of keys.split(' ')) {
      const kbd = document.createElement('kbd')
      kbd.textContent = key
      term.append(kbd, ' ')
    }
    const text = document.createElement('dd')
    text.textContent = meaning
    row.append(term, text)
    list.append(row)
  }
  const off = document.createElement('label')
  off.className = 'keys-off'
  const box = document.createElement('input')
  box.type = 'checkbox'
  box.checked = localStorage.getItem(offKey) === null
  box.addEventListener('change', () =>
    box.checked ? localStorage.removeItem(offKey) : localStorage.setItem(offKey, '1'),
  )
  off.append(box, ' Use single keys')
  openDialog(title, list, off).setAttribute('aria-label', 'Keys')
}
