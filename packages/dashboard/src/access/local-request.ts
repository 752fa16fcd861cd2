import type { Caller } from './caller.ts'

/** Any of these says that somebody stands between us and the browser, so the socket's address is not the browser's. */
const forwarding = [
  'forwarded',
  'via',
  'x-real-ip',
  'x-client-ip',
  'true-client-ip',
  'cf-connecting-ip',
  'fly-client-ip',
]

/** A request made on this machine and brought by nobody. */
export function isDirectLoopback(headers: Headers, caller: Caller): boolean {
  if (caller.address === undefined || !isLoopbackAddress(caller.address)) return false
  for (const name of headers.keys()) if (forwarding.includes(name) || name.startsWith('x-forwarded')) return false
  return true
}

export function isLoopbackAddress(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127(\.\d{1,3}){3}$/.test(address)
}

/** A name that no foreign DNS server can point here. */
export function isLoopbackHost(host: string): boolean {
  const name = host.replace(/:\d+$/, '').toLowerCase()
  return name === 'localhost' || name.endsWith('.localhost') || name === '[::1]' || /^127(\.\d{1,3}){3}$/.test(name)
}
