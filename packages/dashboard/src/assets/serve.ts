import { assets } from './generated.ts'
import type { Assets } from '../views/layout.ts'

interface Served {
  readonly type: string
  readonly plain: Uint8Array<ArrayBuffer>
  readonly gzip: Uint8Array<ArrayBuffer>
  readonly brotli: Uint8Array<ArrayBuffer>
}

const served = new Map<string, Served>(
  Object.values(assets).map(({ path, type, plain, gzip, brotli }) => [
    path,
    { type, plain: bytes(plain), gzip: bytes(gzip), brotli: bytes(brotli) },
  ]),
)

/** Where pages find them: the address changes with the content, so it may be kept for ever. */
export const assetPaths: Assets = { script: assets.script.path, styles: assets.styles.path }

/** The file of an address, wherever the dashboard stands; null for every other address. */
export function assetAt(path: string): ((request: Request) => Response) | null {
  const at = path.lastIndexOf('/assets/')
  const found = at < 0 ? undefined : served.get(path.slice(at))
  if (found === undefined) return null
  return (request) => {
    const accepted = request.headers.get('accept-encoding') ?? ''
    const encoding = accepts(accepted, 'br') ? 'br' : accepts(accepted, 'gzip') ? 'gzip' : null
    const body = encoding === 'br' ? found.brotli : encoding === 'gzip' ? found.gzip : found.plain
    const headers = new Headers({
      'content-type': found.type,
      'content-length': String(body.byteLength),
      'cache-control': 'public, max-age=31536000, immutable',
      vary: 'accept-encoding',
    })
    if (encoding !== null) headers.set('content-encoding', encoding)
    return new Response(request.method === 'HEAD' ? null : body, { headers })
  }
}

function accepts(header: string, encoding: string): boolean {
  return header.split(',').some((part) => {
    const [name, quality] = part.split(';').map((piece) => piece.trim())
    return name === encoding && quality !== 'q=0'
  })
}

function bytes(base64: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(base64, 'base64'))
}
