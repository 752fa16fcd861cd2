import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

/** Debian's, unless another one is named. */
const executablePath = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium'

export function openBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-first-run',
    ],
  })
}

/** A page that is watched: whatever a browser complains about is written down. */
export interface Watched {
  readonly page: Page
  readonly context: BrowserContext
  /** Errors of scripts, violations of the policy, requests to strangers. */
  readonly complaints: string[]
  readonly requests: string[]
}

export async function openPage(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Watched> {
  const context = await browser.newContext({ viewport: { width: 1360, height: 900 }, ...options })
  const page = await context.newPage()
  const complaints: string[] = []
  const requests: string[] = []
  page.on('console', (message) => message.type() === 'error' && complaints.push(`console: ${message.text()}`))
  page.on('pageerror', (error) => complaints.push(`error: ${error.message}`))
  page.on('request', (request) => {
    const address = request.url()
    if (address.startsWith('data:')) return
    requests.push(address)
    if (new URL(address).origin !== new URL(url).origin) complaints.push(`foreign: ${address}`)
  })
  await page.goto(url)
  return { page, context, complaints, requests }
}
