import { parseArgs } from 'node:util'
import { takePictures } from './take-pictures.ts'
import { writeApi } from './write-api.ts'
import { writeFigures } from './write-figures.ts'

// Everything in the documents that is made by a program: the reference, the figures and, when asked for, the pictures.
const { values } = parseArgs({
  options: { pictures: { type: 'boolean', default: false }, minutes: { type: 'string', default: '15' } },
})
writeApi()
writeFigures()
if (values.pictures) await takePictures(Number(values.minutes) * 60_000)
