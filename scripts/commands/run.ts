import { spawn } from 'node:child_process'
import { constants } from 'node:os'

/** Runs a program in our terminal; resolves with its exit code, in the shell's way when a signal ended it. */
export function run([file = '', ...args]: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { env, stdio: 'inherit' })
    // Ctrl-C reaches the program through the terminal as well; we stay until it has ended, to clean up after it.
    const stay = (): void => undefined
    const pass = (signal: NodeJS.Signals): void => void child.kill(signal)
    process.on('SIGINT', stay).on('SIGTERM', pass).on('SIGHUP', pass)
    const finish = (): void => void process.off('SIGINT', stay).off('SIGTERM', pass).off('SIGHUP', pass)
    child.once('error', (error) => {
      finish()
      reject(new Error(`Cannot run "${file}": ${error.message}`, { cause: error }))
    })
    child.once('exit', (code, signal) => {
      finish()
      resolve(code ?? 128 + constants.signals[signal ?? 'SIGTERM'])
    })
  })
}
