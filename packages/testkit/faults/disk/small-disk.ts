import { execFile, spawnSync } from 'node:child_process'
import { closeSync, ftruncateSync, openSync, rmSync, writeSync } from 'node:fs'
import { chmod, mkdtemp, rmdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const bytes = 48 * 1024 * 1024

/** A disk in memory that is soon full. Mounting it takes root, or sudo without a password. */
export class SmallDisk implements AsyncDisposable {
  readonly path: string
  readonly #filler: string

  private constructor(path: string) {
    this.path = path
    this.#filler = join(path, 'filler')
    process.once('exit', this.#unmount)
  }

  static async open(): Promise<SmallDisk> {
    const path = await mkdtemp(join(tmpdir(), 'q-small-disk-'))
    await asRoot('mount', '-t', 'tmpfs', '-o', `size=${bytes},mode=0777`, 'q-small-disk', path)
    await chmod(path, 0o777)
    return new SmallDisk(path)
  }

  /** Not a byte is left. */
  fill(): void {
    const file = openSync(this.#filler, 'a')
    try {
      for (let size = 1 << 20; size >= 1; size >>= 1) {
        const chunk = Buffer.alloc(size)
        while (wrote(file, chunk));
      }
    } finally {
      closeSync(file)
    }
  }

  free(): void {
    const file = openSync(this.#filler, 'r+')
    ftruncateSync(file, 0)
    closeSync(file)
    rmSync(this.#filler)
  }

  /** Also when the tests are interrupted. */
  readonly #unmount = (): void => void spawnSync('umount', ['--lazy', this.path])

  async [Symbol.asyncDispose](): Promise<void> {
    process.off('exit', this.#unmount)
    await asRoot('umount', '--lazy', this.path)
    await rmdir(this.path)
  }
}

/** Whether this user can have small disks. */
export async function mayMount(): Promise<boolean> {
  try {
    await asRoot('true')
    return process.platform === 'linux'
  } catch {
    return false
  }
}

async function asRoot(...[command, ...args]: [string, ...string[]]): Promise<void> {
  if (process.getuid?.() === 0) await run(command, args)
  else await run('sudo', ['--non-interactive', command, ...args])
}

function wrote(file: number, chunk: Buffer): boolean {
  try {
    return writeSync(file, chunk) === chunk.length
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false
    throw error
  }
}
