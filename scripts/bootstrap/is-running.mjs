/** @param {number} pid */
export function isRunning(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Somebody else's process, but a living one.
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM'
  }
}
