import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const example = new URL('../examples/sign-up.test.ts', import.meta.url)

test('the README shows the example as it is', () => {
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  expect(readme).toContain(`\`\`\`ts\n${readFileSync(example, 'utf8')}\`\`\`\n`)
})

test('the example passes under the runner of Node itself, without vitest', async () => {
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--conditions=@q/source', '--test', '--test-reporter=tap', fileURLToPath(example)],
    { env: { PATH: process.env['PATH'] } },
  )
  expect(stdout).toMatch(/^# pass 1$/m)
  expect(stdout).toMatch(/^# fail 0$/m)
})
