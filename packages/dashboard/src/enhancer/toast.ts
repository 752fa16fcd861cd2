let timer: number | undefined

export function toast(text: string): void {
  const place = document.getElementById('toast')
  if (place === null) return
  const note = document.createElement('p')
  note.className = 'notice'
  note.textContent = text
  place.replaceChildren(note)
  clearTimeout(timer)
  timer = setTimeout(() => place.replaceChildren(), 3000)
}
