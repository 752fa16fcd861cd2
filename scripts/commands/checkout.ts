import { resolve } from 'node:path'

/** The folder of the repository. */
export const checkout: string = resolve(import.meta.dirname, '../..')
