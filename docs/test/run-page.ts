import { type ChildProcess, fork, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

export interface Outcome {
  readonly file: string
  readonly printed: string
  readonly error?: string
}

const longestMs = 60_000
const nodeFlags = ['--conditions=@q/source', '--disable-warning=ExperimentalWarning']

/** Runs programs one after another in one process, in an empty folder; it has to end by itself, without an error. */
export async function runPrograms(files: readonly string[]): Promise<ReadonlyMap<string, Outcome>> {
  const folder = mkdtempSync(join(tmpdir(), 'q-docs-'))
  const outcomes = new Map<string, Outcome>()
  let running = files[0] ?? ''
  try {
    const child = fork(resolve(import.meta.dirname, 'run-programs.ts'), files, {
      ...optionsIn(folder),
      execArgv: nodeFlags,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    const said = listenTo(child)
    child.on('message', (message: Outcome | { readonly begins: string }) => {
      if ('begins' in message) running = message.begins
      else outcomes.set(message.file, message)
    })
    const end = await endOf(child)
    if (end !== 0) {
      const last = outcomes.get(running)
      const error = `${last?.error ?? ''}\nThe process ended with ${end}, after ${running} began:\n${said()}`
      outcomes.set(running, { file: running, printed: last?.printed ?? '', error })
    }
    return outcomes
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** Runs files that belong together, each in a process of its own, in one folder. `servers` run until the others ended. */
export async function runTogether(
  servers: readonly string[],
  others: readonly string[],
): Promise<ReadonlyMap<string, Outcome>> {
  const folder = mkdtempSync(join(tmpdir(), 'q-docs-'))
  const start = (file: string) => {
    const child = spawn(process.execPath, [...nodeFlags, file], {
      ...optionsIn(folder),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const said = listenTo(child)
    return { file, child, said, end: endOf(child) }
  }
  try {
    const running = servers.map(start)
    const ending = others.map(start)
    await Promise.all(ending.map(({ end }) => end))
    for (const { child } of running) child.kill('SIGTERM')
    const outcomes = [...running, ...ending].map(async ({ file, said, end }): Promise<Outcome> => {
      const code = await end
      return { file, printed: said(), ...(code === 0 ? {} : { error: `It ended with ${code}:\n${said()}` }) }
    })
    return new Map((await Promise.all(outcomes)).map((outcome) => [outcome.file, outcome]))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function optionsIn(cwd: string) {
  const env = { ...process.env, NODE_TEST_CONTEXT: undefined, NO_COLOR: '1', FORCE_COLOR: undefined }
  return { cwd, env, timeout: longestMs, killSignal: 'SIGKILL' } as const
}

function listenTo({ stdout, stderr }: ChildProcess): () => string {
  let said = ''
  for (const pipe of [stdout, stderr]) pipe?.setEncoding('utf8').on('data', (text: string) => void (said += text))
  return () => said
}

function endOf(child: ChildProcess): Promise<number | NodeJS.Signals | null> {
  return new Promise((done) => child.once('close', (code, signal) => done(code ?? signal)))
}
