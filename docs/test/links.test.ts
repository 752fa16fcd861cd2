import { existsSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { checkout, pages } from './read-blocks.ts'

const withLinks = [...pages, 'llms.txt', 'CONTRIBUTING.md']

test.for(withLinks)('every link of %s leads to a file that is there', (page) => {
  const text = readFileSync(resolve(checkout, page), 'utf8').replaceAll(/^```[\s\S]*?^```/gm, '')
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!)
  const local = targets.filter((target) => !/^(?:https?:|#)/.test(target)).map((target) => target.split('#', 1)[0]!)
  expect(local.filter((target) => !existsSync(resolve(checkout, dirname(page), target)))).toEqual([])
})

test.for(pages.filter((page) => page.startsWith('packages/')))(
  'links of %s into the repository name files that are there',
  (page) => {
    const text = readFileSync(resolve(checkout, page), 'utf8')
    const targets = [...text.matchAll(/github\.com\/q-jobs\/q\/blob\/main\/([^)#\s]+)/g)].map(([, target]) => target!)
    expect(targets.filter((target) => !existsSync(resolve(checkout, target)))).toEqual([])
  },
)
