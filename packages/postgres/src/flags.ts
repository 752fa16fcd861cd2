/**
 * What makes a job more than plain, one bit each, carried along on every row of it. A job whose word is 0 takes the
 * short path through claim and completion.
 */
export const flag = {
  /** Other jobs wait, or waited, for it. */
  parent: 1,
  /** Its unique key is given up at its first claim. */
  uniqueUntilClaimed: 4,
  /** Its unique key is held until it is final. */
  uniqueUntilFinal: 8,
  gated: 16,
  /** Its first start must come before `job.expires_at`. */
  expires: 32,
  /** Somebody wants it cancelled: see `wish`. */
  wished: 64,
  /** Adopted from parked: given back it is parked again. */
  adopted: 128,
  /** Lost once while it was prefetched: never prefetched again. */
  neverExtra: 256,
  /** It says itself how long it is kept. */
  keeps: 512,
  /** An occurrence of a recurring job, whose last runs are remembered. */
  occurrence: 1024,
  /** Parameters changed since creation stand in `extra`. */
  extra: 2048,
  /** Claimed beyond the free slots. */
  prefetched: 4096,
  /** Claimed although a gate was shut, to be told so: it holds no gate. */
  busy: 8192,
} as const

/** A claim of these needs a closer look. */
export const slowToClaim: number = flag.uniqueUntilClaimed | flag.gated | flag.expires
/** The end of these has effects beyond the job. */
export const slowToEnd: number =
  flag.parent |
  flag.uniqueUntilClaimed |
  flag.uniqueUntilFinal |
  flag.gated |
  flag.wished |
  flag.keeps |
  flag.occurrence |
  flag.adopted
