import { execFile } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const quiet = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }, maxBuffer: 64 * 1024 * 1024 }

/** Installs packages as root. RUNLEVEL=1 keeps their scripts from starting system-wide servers. */
export async function installPackages(packages: readonly string[]): Promise<void> {
  refuseOtherSystems()
  // Old lists often do; whether they did shows in the install.
  await run('apt-get', ['update', '-q'], quiet).catch(() => undefined)
  const wait = ['-o', 'DPkg::Lock::Timeout=300']
  await run('apt-get', [...wait, 'install', '-y', '-q', '--no-install-recommends', ...packages], quiet).catch(shorten)
}

/** Downloads packages with all they need that is not installed, and unpacks them into the cache; nobody need be root. */
export async function unpackPackages(cache: string, packages: readonly string[]): Promise<void> {
  refuseOtherSystems()
  const folder = folderOf(cache, packages)
  if (existsSync(folder)) return
  const fresh = `${folder}.new-${process.pid}`
  mkdirSync(join(fresh, 'archives'), { recursive: true })
  try {
    // A simulation asks for no rights, and names exactly what an installation would add.
    const plan = await run('apt-get', ['install', '-s', '-q', '--no-install-recommends', ...packages], quiet)
    const needed = [...plan.stdout.matchAll(/^Inst (\S+)/gm)].map(([, name]) => name ?? '')
    const archives = join(fresh, 'archives')
    await run('apt-get', ['download', '-q', ...new Set([...packages, ...needed])], { ...quiet, cwd: archives })
    for (const archive of readdirSync(archives)) await run('dpkg', ['-x', join(archives, archive), fresh], quiet)
    rmSync(archives, { recursive: true })
    renameSync(fresh, folder)
  } catch (error) {
    rmSync(fresh, { recursive: true, force: true })
    // Another run may have been faster.
    if (!existsSync(folder)) shorten(error as Error)
  }
}

/** A program of packages unpacked before, as a script that lets it find its libraries. */
export function unpackedProgram(cache: string, packages: readonly string[], names: readonly string[]): string | null {
  const folder = folderOf(cache, packages)
  if (!existsSync(folder)) return null
  const scripts = join(folder, 'q-bin')
  mkdirSync(scripts, { recursive: true })
  for (const name of names) {
    const file = programFolders(folder)
      .map((bin) => join(bin, name))
      .find(existsSync)
    if (file === undefined) continue
    // initdb and postgres look for each other: whatever lies beside the program is wrapped as well.
    for (const beside of [name, 'initdb'].filter((other) => existsSync(join(file, '..', other)))) {
      writeScript(join(scripts, beside), join(file, '..', beside), folder)
    }
    return join(scripts, name)
  }
  return null
}

function writeScript(script: string, program: string, folder: string): void {
  const fonts = join(folder, 'q-bin', 'fonts.conf')
  writeFileSync(fonts, `<fontconfig><dir>${folder}/usr/share/fonts</dir><dir>/usr/share/fonts</dir></fontconfig>\n`)
  const lines = [
    '#!/bin/sh',
    `LD_LIBRARY_PATH='${libraryFolders(folder).join(':')}'"\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"`,
    `FONTCONFIG_FILE='${fonts}'`,
    'export LD_LIBRARY_PATH FONTCONFIG_FILE',
    `exec '${program}' "$@"`,
  ]
  // Renamed into place: a run side by side may be executing the old one.
  writeFileSync(`${script}.${process.pid}`, `${lines.join('\n')}\n`)
  chmodSync(`${script}.${process.pid}`, 0o755)
  renameSync(`${script}.${process.pid}`, script)
}

/** Debian's chromium in usr/bin is a script with absolute paths; the program itself lies in usr/lib. */
function programFolders(folder: string): string[] {
  const versioned = join(folder, 'usr/lib/postgresql')
  const postgres = existsSync(versioned) ? readdirSync(versioned).map((version) => join(versioned, version, 'bin')) : []
  return [join(folder, 'usr/lib/chromium'), ...postgres, join(folder, 'usr/sbin'), join(folder, 'usr/bin')]
}

function libraryFolders(folder: string): string[] {
  const found: string[] = []
  const visit = (parent: string, depth: number): void => {
    if (!existsSync(parent)) return
    const entries = readdirSync(parent, { withFileTypes: true })
    if (entries.some(({ name }) => /^lib.*\.so/.test(name))) found.push(parent)
    if (depth === 0) return
    for (const entry of entries) if (entry.isDirectory()) visit(join(parent, entry.name), depth - 1)
  }
  visit(join(folder, 'usr/lib'), 2)
  visit(join(folder, 'lib'), 2)
  return found
}

/** One folder per release and set of packages. */
function folderOf(cache: string, packages: readonly string[]): string {
  return join(cache, release(), packages.join('+'))
}

/** Libraries of one release do not fit another. */
function release(): string {
  if (!existsSync('/etc/os-release')) return process.platform
  const text = readFileSync('/etc/os-release', 'utf8')
  const field = (name: string): string => new RegExp(`^${name}="?([^"\n]*)`, 'm').exec(text)?.[1] ?? ''
  return basename(`${field('ID')}-${field('VERSION_ID')}-${process.arch}`)
}

function refuseOtherSystems(): void {
  if (!existsSync('/usr/bin/apt-get')) throw new Error('there is no apt-get here')
}

function shorten(error: Error & { stderr?: string }): never {
  const text = (error.stderr ?? error.message).trim().split('\n')
  throw new Error(text.slice(-3).join(' '))
}
