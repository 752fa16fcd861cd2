import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { page, readKept, withFigures } from './long/figures-file.ts'
import { isFlat } from './long/soak.ts'

const text = readFileSync(page, 'utf8')
const items = text.split('\n').filter((line) => line.startsWith('- '))

describe('the page about guarantees', () => {
  test('promises nothing without naming what proves it', () => {
    expect(items.length).toBeGreaterThan(25)
    expect(items.filter((item) => proofsOf(item).length === 0)).toEqual([])
  })

  test('names tests that are there, by their titles', () => {
    const missing = items.flatMap(proofsOf).filter(({ title, path }) => {
      const file = new URL(path, page)
      return !existsSync(file) || !readFileSync(file, 'utf8').includes(title)
    })
    expect(missing).toEqual([])
  })

  test('shows the figures that were kept', () => {
    expect(text).toBe(withFigures(text, readKept()))
  })

  test('shows no figure that would break its promises', () => {
    const { crash, soak } = readKept()
    for (const run of Object.values(crash)) {
      expect(run).toMatchObject({ lost: 0, doubled: 0, violations: 0, zombieRunsRefused: run.zombieRuns })
      expect(run.kills).toBeGreaterThanOrEqual(30)
    }
    for (const { processes } of Object.values(soak)) expect(processes.filter((process) => !isFlat(process))).toEqual([])
  })
})

function proofsOf(item: string): { readonly title: string; readonly path: string }[] {
  const [, proof = ''] = item.split(' Proof: ')
  return [...proof.matchAll(/\[(.+?)\]\((\.\.\/[^\s]+?\.ts)\)/g)].map(([, title, path]) => ({
    title: title!,
    path: path!,
  }))
}
