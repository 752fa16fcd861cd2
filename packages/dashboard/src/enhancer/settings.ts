import { refreshPage } from './live.ts'

const root = document.documentElement
const year = 31_536_000

type Theme = 'light' | 'dark'

/** Theme without a reload; the zone of this browser; a notice is said once. */
export function startSettings(): void {
  themeButton()?.addEventListener('click', (event) => {
    event.preventDefault()
    toggleTheme()
  })
  // The server offers the dark one to whoever has not chosen: it cannot know what this machine shows.
  if (root.dataset['theme'] === undefined && matchMedia('(prefers-color-scheme: dark)').matches) offer('light')
  tellZone()
  const url = new URL(location.href)
  if (url.searchParams.has('done')) {
    url.searchParams.delete('done')
    history.replaceState(history.state, '', url)
  }
}

export function toggleTheme(): void {
  const button = themeButton()
  if (button === null) return
  const theme = button.value as Theme
  root.dataset['theme'] = theme
  remember('q_theme', theme)
  offer(theme === 'dark' ? 'light' : 'dark')
}

function themeButton(): HTMLButtonElement | null {
  return document.getElementById('theme') as HTMLButtonElement | null
}

function offer(theme: Theme): void {
  const button = themeButton()
  if (button === null) return
  button.value = theme
  button.title = `Switch to ${theme} (t)`
  button.querySelector('span')!.textContent = theme === 'dark' ? 'Dark' : 'Light'
}

/** The server writes the times, so it has to know where they are read. */
function tellZone(): void {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone
  const cookie = `q_local=${encodeURIComponent(zone)}`
  if (zone === undefined || document.cookie.split('; ').includes(cookie)) return
  remember('q_local', encodeURIComponent(zone))
  if (zone !== root.dataset['zone'] && !document.cookie.includes('q_zone=UTC')) void refreshPage()
}

function remember(name: string, value: string): void {
  document.cookie = `${name}=${value}; Path=/; Max-Age=${year}; SameSite=Lax`
}
