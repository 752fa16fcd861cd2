import { QError } from '../errors.ts'
import type { Wire } from '../codec/wire.ts'

/** Parameters the framework keeps for itself. */
export const traceParam = '~trace'

/** Meta as parameters: each value as JSON text. */
export function encodeMeta(meta: Readonly<Record<string, unknown>>, wire: Wire): Record<string, string> {
  const params: Record<string, string> = Object.create(null) as Record<string, string>
  for (const [key, value] of Object.entries(meta)) {
    if (value === undefined) continue
    if (key.startsWith('~') || key === '') {
      throw new QError(
        'Q_NAME_INVALID',
        `The meta key ${JSON.stringify(key)} cannot be used: keys are not empty and do not start with "~".`,
      )
    }
    const payload = wire.encode(value, `The meta "${key}"`)
    params[key] = typeof payload === 'string' ? payload : `~b64:${Buffer.from(payload).toString('base64')}`
  }
  return params
}

export function decodeMeta(params: Readonly<Record<string, string>>, wire: Wire): Readonly<Record<string, unknown>> {
  const meta: Record<string, unknown> = Object.create(null) as Record<string, unknown>
  for (const [key, text] of Object.entries(params)) {
    if (key.startsWith('~')) continue
    try {
      meta[key] = wire.decode(text.startsWith('~b64:') ? Buffer.from(text.slice(5), 'base64') : text)
    } catch {
      // Parameters that another program wrote its own way are still worth reading.
      meta[key] = text
    }
  }
  return meta
}
