import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A SQLite file of its own, gone afterwards. */
export function scratchFile(): { readonly url: string } & Disposable {
  const folder = mkdtempSync(join(tmpdir(), 'q-demo-'))
  return {
    url: `sqlite:${join(folder, 'shop.db')}`,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}
