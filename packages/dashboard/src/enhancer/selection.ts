/** Outside the rows, so that it outlives them. */
const chosen = new Set<string>()
let last: HTMLInputElement | null = null

export function isChosen(): boolean {
  return chosen.size > 0
}

/** Boxes that remember, a box for all, and a range with the shift key. */
export function startSelection(): void {
  document.addEventListener('click', (event) => {
    const box = event.target
    if (!(box instanceof HTMLInputElement) || box.type !== 'checkbox') return
    if (box.matches('[data-all]')) for (const one of boxes()) choose(one, box.checked)
    else if (box.closest('table[data-select]') !== null) {
      if (event.shiftKey && last !== null) chooseRange(last, box)
      choose(box, box.checked)
      last = box
    } else return
    refreshSelection()
  })
  refreshSelection()
}

export function toggleRow(row: Element): void {
  const box = row.querySelector<HTMLInputElement>('input[name="id"]')
  if (box === null) return
  choose(box, !box.checked)
  refreshSelection()
}

export function clearSelection(): void {
  chosen.clear()
  for (const box of boxes()) box.checked = false
  refreshSelection()
}

export function refreshSelection(): void {
  const all = boxes()
  for (const box of all) {
    box.checked = chosen.has(box.value)
    box.closest('tr')?.classList.toggle('chosen', box.checked)
  }
  const every = document.querySelector<HTMLInputElement>('[data-all]')
  if (every !== null) {
    const ticked = all.filter(({ checked }) => checked).length
    every.checked = ticked > 0 && ticked === all.length
    every.indeterminate = ticked > 0 && ticked < all.length
  }
  const label = document.querySelector<HTMLElement>('.bulk-count')
  if (label === null) return
  label.dataset['all'] ??= label.textContent
  label.textContent = chosen.size === 0 ? (label.dataset['all'] ?? '') : `${chosen.size} selected`
}

function choose(box: HTMLInputElement, isOn: boolean): void {
  box.checked = isOn
  if (isOn) chosen.add(box.value)
  else chosen.delete(box.value)
}

function chooseRange(from: HTMLInputElement, to: HTMLInputElement): void {
  const all = boxes()
  const [a, b] = [all.indexOf(from), all.indexOf(to)]
  if (a < 0 || b < 0) return
  for (const box of all.slice(Math.min(a, b), Math.max(a, b) + 1)) choose(box, to.checked)
}

function boxes(): HTMLInputElement[] {
  return [...document.querySelectorAll<HTMLInputElement>('table[data-select] input[name="id"]')]
}
