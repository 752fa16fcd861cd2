import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, it } from 'vitest'

const checkout = resolve(import.meta.dirname, '../..')
const packages = ['core', 'sqlite', 'postgres', 'redis', 'dashboard', 'testkit']

it('a release gives all packages one version, and a changelog for the person who upgrades', () => {
  const folder = mkdtempSync(join(tmpdir(), 'q-release-'))
  try {
    const manifests = [...packages.map((name) => `packages/${name}`), 'apps/demo', 'bench'].map(
      (name) => `${name}/package.json`,
    )
    for (const file of ['.changeset', 'package.json', 'pnpm-workspace.yaml', ...manifests]) {
      cpSync(join(checkout, file), join(folder, file), { recursive: true })
    }
    // From a known version on, whatever the present one is, and without the changes that wait for the real release.
    for (const file of manifests) {
      const manifest = JSON.parse(readFileSync(join(folder, file), 'utf8')) as object
      writeFileSync(join(folder, file), JSON.stringify({ ...manifest, version: '0.3.1' }))
    }
    rmSync(join(folder, '.changeset'), { recursive: true })
    for (const file of ['config.json', 'changelog.mjs']) {
      cpSync(join(checkout, '.changeset', file), join(folder, '.changeset', file))
    }
    const change = (names: string[], text: string): string => `---\n${names.join('\n')}\n---\n\n${text}\n`
    writeFileSync(
      join(folder, '.changeset/a.md'),
      change(["'@q/redis': minor"], 'Jobs can be given a rate.\n\nNothing to do.'),
    )
    writeFileSync(join(folder, '.changeset/b.md'), change(["'@q/core': patch"], '`nW` stays within its month.'))
    symlinkSync(join(checkout, 'node_modules'), join(folder, 'node_modules'))
    for (const args of [
      ['init', '-q', '-b', 'main'],
      ['add', '.changeset', 'package.json', 'packages', 'apps', 'bench'],
    ]) {
      execFileSync('git', args, { cwd: folder })
    }
    execFileSync('git', ['-c', 'user.name=Q', '-c', 'user.email=q@example.org', 'commit', '-q', '-m', 'start'], {
      cwd: folder,
    })

    execFileSync(process.execPath, [join(checkout, 'node_modules/@changesets/cli/bin.js'), 'version'], {
      cwd: folder,
      stdio: 'pipe',
    })

    const read = (file: string): string => readFileSync(join(folder, file), 'utf8')
    for (const name of packages)
      expect(JSON.parse(read(`packages/${name}/package.json`))).toMatchObject({ version: '0.4.0' })
    expect(JSON.parse(read('apps/demo/package.json'))).toMatchObject({ version: '0.3.1' })
    expect(read('packages/redis/CHANGELOG.md')).toBe(
      '# @q/redis\n\n## 0.4.0\n\n### Minor Changes\n\n- Jobs can be given a rate.\n\n  Nothing to do.\n\n### Patch Changes\n\n- Goes with @q/core 0.4.0.\n',
    )
    expect(read('packages/core/CHANGELOG.md')).toBe(
      '# @q/core\n\n## 0.4.0\n\n### Patch Changes\n\n- `nW` stays within its month.\n',
    )
    expect(read('packages/sqlite/CHANGELOG.md')).toContain('- Goes with @q/core 0.4.0.')
  } finally {
    rmSync(folder, { recursive: true })
  }
})
