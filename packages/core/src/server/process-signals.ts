const names = ['SIGTERM', 'SIGINT'] as const

/** The first signal stops gracefully, the second ends the process as it would have without us. */
export function listenToSignals(stop: () => Promise<void>): () => void {
  let isStopping = false
  const onSignal = (name: NodeJS.Signals): void => {
    if (isStopping) {
      unlisten()
      process.kill(process.pid, name)
      return
    }
    isStopping = true
    void stop().then(unlisten)
  }
  const unlisten = (): void => names.forEach((name) => process.off(name, onSignal))
  names.forEach((name) => process.on(name, onSignal))
  return unlisten
}
