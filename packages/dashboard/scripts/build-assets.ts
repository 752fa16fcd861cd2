import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { build } from 'esbuild'

const source = new URL('../src/', import.meta.url)

/** What the browser is sent, as one module: no file is read at run time, so bundlers and serverless hosts need no rules. */
export const generatedPath: URL = new URL('assets/generated.ts', source)

export async function buildAssets(): Promise<string> {
  const script = await bundle('enhancer/enhancer.ts')
  const styles = await bundle('styles/dashboard.css')
  return `// Made by scripts/build-assets.ts from src/enhancer and src/styles. Do not edit.

interface Asset {
  readonly path: string
  readonly type: string
  readonly plain: string
  readonly gzip: string
  readonly brotli: string
}

export const assets: { readonly script: Asset; readonly styles: Asset } = {
  script: ${entry('js', 'text/javascript; charset=utf-8', script)},
  styles: ${entry('css', 'text/css; charset=utf-8', styles)},
}
`
}

async function bundle(path: string): Promise<Buffer> {
  const { outputFiles } = await build({
    entryPoints: [new URL(path, source).pathname],
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    target: path.endsWith('.css') ? ['chrome123', 'firefox120', 'safari17.5'] : 'es2022',
    legalComments: 'none',
  })
  return Buffer.from(outputFiles[0]!.contents)
}

function entry(extension: string, type: string, content: Buffer): string {
  const hash = createHash('sha256').update(content).digest('hex').slice(0, 16)
  const brotli = brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 11 } })
  const gzip = gzipSync(content, { level: 9 })
  const line = (name: string, value: string): string => `    ${name}: '${value}',\n`
  return `{
${line('path', `/assets/${hash}.${extension}`)}${line('type', type)}${line('plain', content.toString('base64'))}${line('gzip', gzip.toString('base64'))}${line('brotli', brotli.toString('base64'))}  }`
}

if (import.meta.main) {
  const text = await buildAssets()
  writeFileSync(generatedPath, text)
  process.stdout.write(`${generatedPath.pathname}: ${text.length} characters\n`)
}
