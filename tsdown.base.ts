import { globSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { defineConfig } from 'tsdown'
import type { UserConfig } from 'tsdown'

interface Manifest {
  readonly exports: Record<string, string | { readonly '@q/source': string; readonly default: string }>
}

/**
 * How every package is built. Its entries are its `exports`, so that what is built and what is promised cannot differ;
 * and the programs it starts as threads or processes, which nobody imports.
 */
const config: UserConfig = defineConfig({
  entry: { ...entriesOf(JSON.parse(readFileSync('package.json', 'utf8')) as Manifest), ...startedPrograms() },
  format: 'esm',
  platform: 'node',
  target: 'es2023',
  dts: { oxc: true },
  sourcemap: true,
  clean: true,
  fixedExtension: false,
})

export default config

/** `./dist/storage/index.js` is built from the file named by the `@q/source` condition beside it. */
function entriesOf(manifest: Manifest): Record<string, string> {
  const entries: Record<string, string> = {}
  for (const target of Object.values(manifest.exports)) {
    if (typeof target === 'string') continue
    entries[target.default.replace(/^\.\/dist\/(.+)\.js$/, '$1')] = target['@q/source']
  }
  return entries
}

/** They are looked for beside the file that starts them, which after bundling is the root of `dist`. */
function startedPrograms(): Record<string, string> {
  return Object.fromEntries(globSync('src/**/*-{thread,program}.ts').map((file) => [basename(file, '.ts'), file]))
}
