import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { type JobStorage, openStorage } from '@q/core'

/** Where the shop keeps its jobs when nobody says otherwise. */
export const dataFolder: string = resolve(import.meta.dirname, '../data')

/** The storage that Q_URL names: `postgres://…`, `redis://…`, `memory:`; without it a SQLite file beside the code. */
export function openShopStorage(url: string | undefined = process.env['Q_URL']): Promise<JobStorage> {
  if (url !== undefined && url !== '') return openStorage(url)
  mkdirSync(dataFolder, { recursive: true })
  return openStorage(`sqlite:${resolve(dataFolder, 'shop.db')}`)
}
