import { defineJob, fixed, reject } from '@q/core'
import { happens, takeTime } from '../services/take-time.ts'
import { type Size, printOf } from '../shop/catalogue.ts'

export interface Rendering {
  readonly print: string
  readonly size: Size
}

const passes = [
  'colour profile',
  'sharpening',
  'cyan plate',
  'magenta plate',
  'yellow plate',
  'black plate',
  'thumbnail',
]
const slowness: Readonly<Record<Size, number>> = { A4: 1, A3: 1.5, A2: 2.2 }

/** The long one: it tells how far it is, writes down what it does, and stops when it is asked to. */
export const renderPrint = defineJob({
  name: 'print.render',
  queue: 'press',
  timeout: '1m',
  retry: { attempts: 3, backoff: fixed('5s') },
  keep: { succeeded: '3h', deleted: '3h' },
  async run({ print, size }: Rendering, ctx) {
    if (printOf(print) === undefined) return reject(new Error(`There is no print "${print}" in the catalogue.`))
    for (const [done, pass] of passes.entries()) {
      ctx.progress(done / passes.length, pass)
      await takeTime(100 * slowness[size], 450 * slowness[size], ctx.signal)
      ctx.log.info(`${pass} done`, { print, size })
      if (happens(0.006)) throw new Error('The press ran out of ink.')
    }
    ctx.progress(1, 'printed')
    return { file: `${print}-${size}.tiff`, thumbnail: `${print}.webp` }
  },
})
