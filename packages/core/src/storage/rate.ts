import type { Ms, Rate } from './job.ts'

/*
 * A token bucket kept as one number: the instant at which it will be full again. Every token taken moves that on by
 * one interval, so nothing has to be refilled, and two jobs may read the same bucket by different rates.
 */

/** Keeps a token from being lost to rounding when `per / max` is no whole number. */
const tolerance = 1e-6

/** How many tokens a bucket holds. */
export function tokensLeft(rate: Rate, fullAt: Ms, now: Ms): number {
  const missing = Math.max(0, fullAt - now)
  return Math.max(0, Math.floor((rate.per - missing) / interval(rate) + tolerance))
}

/** The instant at which the bucket is full again, once a token is taken. */
export function takeToken(rate: Rate, fullAt: Ms, now: Ms): Ms {
  return Math.max(fullAt, now) + interval(rate)
}

/** When there is one token more than now. */
export function nextTokenAt(rate: Rate, fullAt: Ms, now: Ms): Ms {
  const tokens = tokensLeft(rate, fullAt, now)
  const at = Math.ceil(fullAt - rate.per + (tokens + 1) * interval(rate) - tolerance)
  return at > now ? at : now + Math.ceil(interval(rate))
}

function interval(rate: Rate): number {
  return rate.per / rate.max
}
