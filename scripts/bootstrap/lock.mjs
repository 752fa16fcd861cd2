import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { isRunning } from './is-running.mjs'

/**
 * Runs `work` while no other command of this checkout does: two commands started at once must not install twice.
 * @template T
 * @param {string} file
 * @param {() => void} onWait
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 */
export async function withLock(file, onWait, work) {
  for (let waited = false; !tryLock(file); waited = true) {
    if (!waited) onWait()
    if (!isHeld(file)) rmSync(file, { force: true })
    else await delay(200)
  }
  const release = () => rmSync(file, { force: true })
  process.once('exit', release)
  try {
    return await work()
  } finally {
    process.off('exit', release)
    release()
  }
}

/** @param {string} file */
function tryLock(file) {
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'EEXIST') return false
    throw error
  }
}

/** @param {string} file */
function isHeld(file) {
  const holder = readHolder(file)
  return holder !== null && isRunning(holder)
}

/** @param {string} file */
function readHolder(file) {
  try {
    // An empty file is a lock whose holder is just writing its pid: it counts as ours, who certainly run.
    return Number(readFileSync(file, 'utf8')) || process.pid
  } catch {
    return null
  }
}
