import { fetchPage } from './parse.ts'

/** Pages that ask are shown over the page they were asked from. */
export function startDialogs(): void {
  document.addEventListener('click', (event) => {
    if (!(event.target instanceof Element) || event.ctrlKey || event.metaKey || event.shiftKey) return
    const link = event.target.closest<HTMLAnchorElement>('a[data-dialog]')
    if (link !== null) {
      event.preventDefault()
      void ask(link.href, link)
    }
    const close = event.target.closest('[data-close]')
    if (close?.closest('dialog') != null) {
      event.preventDefault()
      close.closest('dialog')!.close()
    }
  })
  document.addEventListener('submit', (event) => {
    const button = event.submitter
    if (!(button instanceof HTMLButtonElement) || !button.matches('[data-dialog]')) return
    event.preventDefault()
    const form = event.target as HTMLFormElement
    const fields = new URLSearchParams(new FormData(form, button) as unknown as Record<string, string>)
    // Not `form.action`: that is the field of this name.
    void ask(new URL(`${form.getAttribute('action')}?${fields}`, location.href).href, button)
  })
}

async function ask(url: string, opener: HTMLElement): Promise<void> {
  const found = await fetchPage(url)
  const form = found?.page.querySelector<HTMLFormElement>('form[data-ask]')
  if (found === null || form == null) {
    location.assign(url)
    return
  }
  const title = document.createElement('h2')
  title.id = 'dialog-title'
  title.textContent = found.page.querySelector('h1')?.textContent ?? ''
  // Its addresses start from its own page, not from this one.
  form.setAttribute('action', new URL(form.getAttribute('action')!, found.url).href)
  for (const link of form.querySelectorAll('a[href]'))
    link.setAttribute('href', new URL(link.getAttribute('href')!, found.url).href)
  const dialog = openDialog(title, document.adoptNode(form))
  dialog.setAttribute('aria-labelledby', title.id)
  dialog.querySelector<HTMLElement>('[data-first]')?.focus()
  dialog.addEventListener('close', () => opener.focus())
  dialog.addEventListener('input', ({ target }) => {
    if (target instanceof HTMLInputElement && target.matches('[data-preview]')) void preview(form, found.url)
  })
}

export function openDialog(...content: readonly Element[]): HTMLDialogElement {
  const dialog = document.createElement('dialog')
  dialog.append(...content)
  dialog.addEventListener('close', () => dialog.remove())
  // A click beside it means "never mind".
  dialog.addEventListener('click', ({ target }) => target === dialog && dialog.close())
  document.body.append(dialog)
  dialog.showModal()
  return dialog
}

let previews = 0

async function preview(form: HTMLFormElement, page: string): Promise<void> {
  const turn = ++previews
  const url = new URL(page)
  for (const input of form.querySelectorAll<HTMLInputElement>('[data-preview]'))
    url.searchParams.set(input.name, input.value)
  await new Promise((resolve) => setTimeout(resolve, 250))
  if (turn !== previews) return
  const found = await fetchPage(url.href)
  const fresh = found?.page.getElementById('preview')
  if (turn === previews && fresh != null) form.querySelector('#preview')?.replaceWith(document.adoptNode(fresh))
}
