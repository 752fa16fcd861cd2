// Runs the programs of one page, one after another, in a process of their own, and tells what became of each.
// Arguments: the files. What it tells goes over the IPC channel, so that the programs may print what they like.
import { pathToFileURL } from 'node:url'
import { format } from 'node:util'

let failed = false
for (const file of process.argv.slice(2)) {
  const printed: string[] = []
  process.send?.({ begins: file })
  console.log = (...parts: unknown[]) => void printed.push(`${format(...parts)}\n`)
  console.info = console.log
  try {
    await import(pathToFileURL(file).href)
    process.send?.({ file, printed: printed.join('') })
  } catch (error) {
    failed = true
    process.send?.({ file, printed: printed.join(''), error: format(error) })
  }
}
// A program that broke off has left open what it opened.
if (failed) process.exit(1)
// Programs close what they open; whoever does not would keep this process, and is found out.
process.disconnect()
