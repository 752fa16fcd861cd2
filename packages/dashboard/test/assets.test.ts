import { readFileSync } from 'node:fs'
import { gunzipSync, brotliDecompressSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { buildAssets, generatedPath } from '../scripts/build-assets.ts'
import { assets } from '../src/assets/generated.ts'

test('the generated assets are those of the sources: run `pnpm -C packages/dashboard assets` after a change', async () => {
  expect(readFileSync(generatedPath, 'utf8') === (await buildAssets())).toBe(true)
})

test('the script takes at most 20 kB on its way, all assets together 40 kB', () => {
  const size = (base64: string): number => Buffer.from(base64, 'base64').byteLength
  expect(size(assets.script.gzip)).toBeLessThanOrEqual(20_000)
  expect(size(assets.script.gzip) + size(assets.styles.gzip)).toBeLessThanOrEqual(40_000)
})

test('every encoding of an asset holds the same bytes', () => {
  for (const { plain, gzip, brotli } of Object.values(assets)) {
    const bytes = Buffer.from(plain, 'base64')
    expect(gunzipSync(Buffer.from(gzip, 'base64')).equals(bytes)).toBe(true)
    expect(brotliDecompressSync(Buffer.from(brotli, 'base64')).equals(bytes)).toBe(true)
  }
})
