import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Browser, chromium } from 'playwright-core'

const checkout = resolve(import.meta.dirname, '../..')
const folder = resolve(import.meta.dirname, '../images')

interface Picture {
  readonly name: string
  readonly path: string
  readonly theme: 'light' | 'dark'
  readonly height: number
}

/** Pictures of the shop and its dashboard for the README and the guides, taken of a demo that has been busy for a while. */
export async function takePictures(busyMs: number): Promise<void> {
  mkdirSync(folder, { recursive: true })
  const data = mkdtempSync(join(tmpdir(), 'q-pictures-'))
  const demo = await startDemo(`sqlite:${join(data, 'shop.db')}`)
  const executablePath = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium'
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  try {
    await sleep(busyMs)
    const pictures: Picture[] = [
      { name: 'shop-light', path: '/', theme: 'light', height: 860 },
      { name: 'shop-dark', path: '/', theme: 'dark', height: 860 },
      { name: 'overview-light', path: '/jobs/', theme: 'light', height: 900 },
      { name: 'overview-dark', path: '/jobs/', theme: 'dark', height: 900 },
      { name: 'jobs-light', path: '/jobs/jobs', theme: 'light', height: 860 },
      { name: 'errors-light', path: '/jobs/errors', theme: 'light', height: 700 },
      { name: 'recurring-dark', path: '/jobs/recurring', theme: 'dark', height: 560 },
      { name: 'job-dark', path: await retriedJob(demo.url), theme: 'dark', height: 860 },
    ]
    for (const picture of pictures) await take(browser, demo.url, picture)
  } finally {
    await browser.close()
    await demo.stop()
    rmSync(data, { recursive: true, force: true })
  }
}

async function take(browser: Browser, url: string, { name, path, theme, height }: Picture): Promise<void> {
  const page = await browser.newPage({
    viewport: { width: 1280, height },
    colorScheme: theme,
    timezoneId: 'Europe/Berlin',
  })
  await page.goto(`${url}${path}`)
  // Live parts have come once or twice by then, and charts are drawn.
  await page.waitForTimeout(2500)
  await page.evaluate(hidePath, checkout)
  await page.screenshot({ path: join(folder, `${name}.png`) })
  await page.close()
}

/** Runs in the page: where this checkout lies is of no interest to readers. */
function hidePath(path: string): void {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (texts.nextNode()) {
    const { currentNode } = texts
    currentNode.textContent = (currentNode.textContent ?? '').replaceAll(path, '/srv/shop')
  }
}

/** A charge that worked in the end: its page has attempts, an error with its stack, and a result. */
async function retriedJob(url: string): Promise<string> {
  const search = new URLSearchParams({ q: 'kind:order.charge state:succeeded', limit: '200' })
  const response = await fetch(`${url}/jobs/api/v1/jobs?${search}`)
  const { items } = (await response.json()) as { items: Array<{ id: string; attempt: number }> }
  const job = items.find(({ attempt }) => attempt > 1) ?? items[0]
  if (job === undefined) throw new Error('No charge has succeeded: let the demo be busy for longer.')
  return `/jobs/jobs/${job.id}`
}

async function startDemo(storage: string): Promise<{ url: string; stop(): Promise<void> }> {
  const main = join(checkout, 'apps/demo/src/main.ts')
  const child = spawn(process.execPath, ['--conditions=@q/source', '--disable-warning=ExperimentalWarning', main], {
    env: { ...process.env, Q_URL: storage, PORT: '0', NODE_ENV: 'development' },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const exited = new Promise<void>((done) => child.once('exit', () => done()))
  const started = Promise.withResolvers<string>()
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
    const url = /The shop\s+(http:\S+?)\/\n/.exec(output)?.[1]
    if (url !== undefined) started.resolve(url)
  })
  void exited.then(() => started.reject(new Error(`The demo ended at once:\n${output}`)))
  return {
    url: await started.promise,
    async stop() {
      child.kill('SIGINT')
      await exited
    },
  }
}
