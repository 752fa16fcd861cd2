/** This process believes it is earlier or later than it is, until the clock is put right again. Timers run on as they were. */
export function shiftClock(shiftMs: number): () => void {
  const RealDate = Date
  globalThis.Date = class extends RealDate {
    constructor(...args: unknown[]) {
      if (args.length === 0) super(RealDate.now() + shiftMs)
      // Any arguments the real constructor takes are passed on as they are.
      else super(...(args as [number]))
    }

    static override now(): number {
      return RealDate.now() + shiftMs
    }
  } as DateConstructor
  return () => {
    globalThis.Date = RealDate
  }
}
