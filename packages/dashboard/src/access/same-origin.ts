/** Reads change nothing. */
export function isSafe(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
}

/**
 * Whether a page of ours sent this. Browsers say where a request comes from; over plain http to another machine only by
 * `Origin`. A program that sends neither proves by its `Authorization` header that no browser was tricked into this.
 */
export function isSameOrigin(headers: Headers, host: string): boolean {
  const site = headers.get('sec-fetch-site')
  if (site !== null) return site === 'same-origin'
  const origin = headers.get('origin')
  if (origin !== null) return hostOf(origin) === host.toLowerCase()
  return headers.has('authorization')
}

/** An event stream sends no secret of its own, but no other site needs it either. */
export function isForeign(headers: Headers, host: string): boolean {
  const site = headers.get('sec-fetch-site')
  if (site !== null) return site !== 'same-origin' && site !== 'none'
  const origin = headers.get('origin')
  return origin !== null && hostOf(origin) !== host.toLowerCase()
}

function hostOf(origin: string): string | null {
  try {
    return new URL(origin).host.toLowerCase()
  } catch {
    return null
  }
}
