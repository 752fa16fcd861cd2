import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { Demo } from './run-demo.ts'
import { scratchFile } from './scratch-file.ts'

// The tour names its own queue and asks only for what lies there, so servers of others can be used as they are.

const story = readFileSync(resolve(import.meta.dirname, 'tour.txt'), 'utf8')

test('the tour tells the same story on the memory storage', async () => {
  expect(await tourOn('memory:')).toEqual(story)
})

test('the tour tells the same story on SQLite', async () => {
  using file = scratchFile()
  expect(await tourOn(file.url)).toEqual(story)
})

test('the tour tells the same story on PostgreSQL', async () => {
  expect(await tourOn(withParameter('DATABASE_URL', 'schema=q_demo'))).toEqual(story)
})

test('the tour tells the same story on Redis', async () => {
  expect(await tourOn(withParameter('REDIS_URL', 'namespace=q_demo'))).toEqual(story)
})

/** What the tour told, without what is different each time. */
async function tourOn(url: string): Promise<string> {
  await using demo = new Demo(url, ['--once'])
  const code = await demo.exited
  return `${demo.output}exit ${code}\n`
    .replace(/^\n+/, '')
    .replaceAll(/tour\.[0-9a-f]{8}/g, 'tour.…')
    .replace(/^A tour on .+: .+\.$/m, 'A tour on …')
}

function withParameter(variable: string, parameter: string): string {
  const url = process.env[variable]
  if (url === undefined) throw new Error(`${variable} is not set: run this by npm test, which starts the servers.`)
  return `${url}${url.includes('?') ? '&' : '?'}${parameter}`
}
