/** What the shop sells: six prints, three sizes. */
export interface Print {
  readonly id: string
  readonly title: string
  /** From the top of the sky to the ground. */
  readonly colours: readonly [string, string, string, string]
  /** Shapes the hills. */
  readonly seed: number
}

export const prints: readonly Print[] = [
  { id: 'first-light', title: 'First light', colours: ['#f6d6ad', '#ef9f7c', '#b1607a', '#3d2b52'], seed: 3 },
  { id: 'salt-marsh', title: 'Salt marsh', colours: ['#dfe9e3', '#9fc4b7', '#56897f', '#1f3f41'], seed: 11 },
  { id: 'blue-hour', title: 'Blue hour', colours: ['#c3cfee', '#7c8fcf', '#43508f', '#191f44'], seed: 7 },
  { id: 'red-dunes', title: 'Red dunes', colours: ['#f8e3cd', '#eaa56c', '#bd5b3a', '#5c2621'], seed: 19 },
  { id: 'birch-wood', title: 'Birch wood', colours: ['#f1efdc', '#c9cf92', '#7f9451', '#2f4430'], seed: 23 },
  { id: 'night-ferry', title: 'Night ferry', colours: ['#4d5c82', '#2f3b60', '#1d2541', '#0c1022'], seed: 29 },
]

export const sizes = { A4: 1900, A3: 3200, A2: 5400 } as const

export type Size = keyof typeof sizes

export function isSize(value: string): value is Size {
  return Object.hasOwn(sizes, value)
}

export function printOf(id: string): Print | undefined {
  return prints.find((print) => print.id === id)
}

export function priceOf(size: Size, copies: number): number {
  return sizes[size] * copies
}

export function money(cents: number): string {
  return `€ ${(cents / 100).toFixed(2)}`
}
