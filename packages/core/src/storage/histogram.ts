/** Durations are counted in buckets a quarter octave wide: 0 is below 1 ms, the last one holds everything from about 6 hours. */
export const histogramSize = 100

export function histogramIndex(ms: number): number {
  return ms < 1 ? 0 : Math.min(histogramSize - 1, 1 + Math.floor(4 * Math.log2(ms)))
}

/** The value below which the given share (0…1) of all counted durations lies, to within half a bucket; null when nothing was counted. */
export function percentile(histogram: readonly number[], share: number): number | null {
  const total = histogram.reduce((sum, n) => sum + n, 0)
  if (total === 0) return null
  let left = Math.max(1, Math.ceil(total * share))
  for (const [index, n] of histogram.entries()) {
    left -= n
    if (left <= 0) return index === 0 ? 0.5 : 2 ** ((index - 0.5) / 4)
  }
  return null
}

export function addHistograms(a: readonly number[], b: readonly number[]): number[] {
  return Array.from({ length: histogramSize }, (_, index) => (a[index] ?? 0) + (b[index] ?? 0))
}
