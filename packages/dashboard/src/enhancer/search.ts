const fields = [
  'kind:',
  'queue:',
  'state:',
  'tag:',
  'error:',
  'recurring:',
  'server:',
  'attempt:>',
  'ran:>',
  'waited:>',
  'last:',
  'created:>',
  'id:',
  'args.',
]
const listed: Readonly<Record<string, string>> = {
  'kind:': 'kind',
  'queue:': 'queue',
  'tag:': 'tag',
  'recurring:': 'recurring',
  'server:': 'server',
}
const states = [
  'enqueued',
  'processing',
  'scheduled',
  'retrying',
  'awaiting',
  'parked',
  'succeeded',
  'failed',
  'deleted',
]

/** Completes the last word of the search: a field, then what it can be. */
export function startSearch(): void {
  const field = document.getElementById('q')
  if (!(field instanceof HTMLInputElement)) return
  let turn = 0
  field.addEventListener('input', () => void complete(field, ++turn, () => turn))
  document.addEventListener('submit', ({ target }) => {
    if (!(target instanceof HTMLFormElement) || !target.matches('[data-columns]')) return
    // One short parameter instead of many.
    const boxes = [...target.querySelectorAll<HTMLInputElement>('input[name="col"]')]
    const cols = document.createElement('input')
    cols.type = 'hidden'
    cols.name = 'cols'
    cols.value = boxes
      .filter(({ checked }) => checked)
      .map(({ value }) => value)
      .join(',')
    target.append(cols)
    for (const box of boxes) box.disabled = true
  })
}

async function complete(field: HTMLInputElement, turn: number, latest: () => number): Promise<void> {
  const list = document.getElementById('q-fields')
  if (list === null) return
  const [, before = '', last = ''] = /^(.*?)(\S*)$/s.exec(field.value) ?? []
  const values = await valuesFor(last)
  if (turn !== latest()) return
  list.replaceChildren(
    ...values.map((value) => {
      const option = document.createElement('option')
      option.value = before + value
      return option
    }),
  )
}

async function valuesFor(word: string): Promise<string[]> {
  const colon = word.indexOf(':') + 1
  if (colon === 0) return word === '' ? [] : fields.filter((name) => name.startsWith(word))
  const [name, prefix] = [word.slice(0, colon), word.slice(colon)]
  if (name === 'state:') return states.filter((state) => state.startsWith(prefix)).map((state) => name + state)
  const kind = listed[name]
  if (kind === undefined) return []
  try {
    const url = `${document.documentElement.dataset['root']}api/v1/suggest?${new URLSearchParams({ field: kind, prefix })}`
    const { items } = (await (await fetch(url)).json()) as { items: string[] }
    return items.map((item) => name + (/[\s",]/.test(item) ? JSON.stringify(item) : item))
  } catch {
    return []
  }
}
