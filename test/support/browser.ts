/** A real Chromium: Debian's package, or what CHROMIUM names. Where there is none, the tests are skipped and say so. */
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { chromium } from 'playwright-core'
import { describe } from 'vitest'

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']
const { CHROMIUM } = process.env
const EXECUTABLE = CHROMIUM ?? PLACES.find((place) => existsSync(place))

/** Pictures of the README; made where UPDATE_DOCS is set. */
const IMAGES = fileURLToPath(new URL('../../docs/images/', import.meta.url))

/** Tests in a browser; where there is none, they are skipped, and their title says why. */
export function describeWithBrowser(title: string, body: () => void): void {
  const reason = EXECUTABLE === undefined ? 'no browser: apt-get install chromium' : undefined
  const titleNow = reason === undefined ? title : `${title} (skipped: ${reason})`
  // oxlint-disable-next-line vitest/valid-title -- it is the caller's
  describe.skipIf(reason !== undefined)(titleNow, () => {
    body()
  })
}

/** Of pictures. */
export const SIZE = { viewport: { width: 1200, height: 760 } }

export async function launch(): Promise<Browser> {
  return chromium.launch({
    ...(EXECUTABLE === undefined ? {} : { executablePath: EXECUTABLE }),
    // Chromium's sandbox refuses root.
    chromiumSandbox: process.getuid?.() !== 0,
  })
}

/** A tab of its own, and what went wrong in it. */
export interface Tab extends AsyncDisposable {
  readonly page: Page
  /** Errors, violations of the page's policy, dialogs, and requests to elsewhere. */
  readonly wrong: readonly string[]
}

export async function openTab(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Tab> {
  const context = await browser.newContext(options)
  // Sooner than the test itself, so that it is told what was waited for.
  context.setDefaultTimeout(10_000)
  const page = await context.newPage()
  const wrong: string[] = []
  page.on('pageerror', (error) => wrong.push(`error: ${error.message}`))
  page.on('console', (message) => {
    if (message.type() === 'error') wrong.push(`console: ${message.text()}`)
  })
  page.on('dialog', (dialog) => {
    wrong.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== new URL(url).origin) wrong.push(`to ${request.url()}`)
  })
  await page.goto(url)
  return { page, wrong, [Symbol.asyncDispose]: () => context.close() }
}

/** A picture for the README, where pictures are made. */
export async function picture(page: Page, name: string): Promise<void> {
  if (process.env['UPDATE_DOCS'] === undefined) return
  await mkdir(IMAGES, { recursive: true })
  await page.screenshot({ path: `${IMAGES}${name}.png` })
}
