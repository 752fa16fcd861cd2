import { happens, takeTime } from './take-time.ts'

interface FeedItem {
  readonly paper: string
  readonly stock: { readonly sheets: number }
}

/** A supplier whose feed lacks a field now and then, which nobody expected. */
export class Supplier {
  async fetchSheets(signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    await takeTime(300, 1200, signal)
    const feed = JSON.parse(this.#answer()) as readonly FeedItem[]
    return new Map(feed.map((item) => [item.paper, readSheets(item)]))
  }

  #answer(): string {
    const items = ['cotton rag', 'baryta', 'bamboo'].map((paper) => ({ paper, stock: { sheets: 80 + paper.length } }))
    return JSON.stringify(happens(0.45) ? [{ paper: 'washi' }, ...items] : items)
  }
}

function readSheets(item: FeedItem): number {
  return item.stock.sheets
}
