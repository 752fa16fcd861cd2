import { openDialog } from './dialogs.ts'

interface Place {
  readonly title: string
  readonly href: string
}

/** One field that goes anywhere: a page, a job by its id, a search. */
export function startPalette(): void {
  document.addEventListener('keydown', (event) => {
    if (
      event.key.toLowerCase() !== 'k' ||
      !(event.ctrlKey || event.metaKey) ||
      document.querySelector('dialog') !== null
    )
      return
    event.preventDefault()
    open()
  })
}

function open(): void {
  const root = new URL(document.documentElement.dataset['root'] ?? './', location.href)
  const pages = [...document.querySelectorAll<HTMLAnchorElement>('.nav a')].map(({ textContent, href }): Place => ({
    title: textContent.replace(/[\d.,kM+]+$/, ''),
    href,
  }))
  const field = document.createElement('input')
  field.type = 'search'
  field.placeholder = 'A page, a job id, or a search'
  field.setAttribute('aria-label', 'Go to')
  const list = document.createElement('ul')
  list.className = 'palette'
  const show = (): void => {
    const text = field.value.trim()
    const found = pages.filter(({ title }) => title.toLowerCase().includes(text.toLowerCase()))
    if (/^[0-7][0-9a-hjkmnp-tv-z]{25}$/i.test(text))
      found.unshift({ title: `Job ${text.toUpperCase()}`, href: new URL(`jobs/${text.toUpperCase()}`, root).href })
    else if (text !== '')
      found.push({ title: `Search jobs for “${text}”`, href: new URL(`jobs?q=${encodeURIComponent(text)}`, root).href })
    list.replaceChildren(
      ...found.map(({ title, href }) => {
        const item = document.createElement('li')
        const link = document.createElement('a')
        link.href = href
        link.textContent = title
        item.append(link)
        return item
      }),
    )
  }
  field.addEventListener('input', show)
  field.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') list.querySelector('a')?.click()
    if (event.key === 'ArrowDown') list.querySelector('a')?.focus()
  })
  list.addEventListener('keydown', (event) => {
    const links = [...list.querySelectorAll('a')]
    const at = links.indexOf(document.activeElement as HTMLAnchorElement)
    if (event.key === 'ArrowDown') links[at + 1]?.focus()
    if (event.key === 'ArrowUp') (links[at - 1] ?? field).focus()
  })
  show()
  const dialog = openDialog(field, list)
  dialog.className = 'palette-dialog'
  dialog.setAttribute('aria-label', 'Go to')
  field.focus()
}
