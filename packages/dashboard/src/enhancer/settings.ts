import { refreshPage } from './live.ts'

const root = document.documentElement
const year = 31_536_000

/** Theme without a reload; the zone of this browser; a notice is said once. */
export function startSettings(): void {
  document.getElementById('theme')?.addEventListener('click', (event) => {
    event.preventDefault()
    toggleTheme()
  })
  tellZone()
  const url = new URL(location.href)
  if (url.searchParams.has('done')) {
    url.searchParams.delete('done')
    history.replaceState(history.state, '', url)
  }
}

export function toggleTheme(): void {
  const button = document.getElementById('theme') as HTMLButtonElement | null
  if (button === null) return
  const theme = button.value
  const next = theme === 'dark' ? 'light' : 'dark'
  root.dataset['theme'] = theme
  remember('q_theme', theme)
  button.value = next
  button.title = `Switch to ${next} (t)`
  button.querySelector('span')!.textContent = next === 'dark' ? 'Dark' : 'Light'
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
