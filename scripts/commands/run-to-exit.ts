/** Runs a command's work and leaves with its exit code; an error that explains itself is shown without a stack. */
export async function runToExit(work: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await work()
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  }
}
