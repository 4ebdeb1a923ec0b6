/** The screens of the page, and ways through them. */
import type { Page } from 'playwright-core'

export const SCREENS = [
  'Overview',
  'Backends',
  'Catalog',
  'Live calls',
  'Agents',
  'Denied',
  'Sessions',
  'Playground',
  'Connect',
  'Configuration',
]
/** What shows that a screen has got its data. */
export const LANDED: Readonly<Record<string, RegExp>> = {
  Overview: /in the last hour/,
  Backends: /Latency p50/,
  Catalog: /Served \(/,
  'Live calls': /The newest calls/,
  Agents: /What clients call themselves/,
  Denied: /Denied, the newest first/,
  Sessions: /Sessions/,
  Connect: /claude mcp add/,
  Configuration: /failureMode/,
}

export async function open(page: Page, screen: string): Promise<void> {
  await page.getByRole('link', { name: screen, exact: true }).click()
  await page.getByRole('heading', { level: 1, name: screen, exact: true }).waitFor()
}

export async function sees(page: Page, text: string | RegExp): Promise<void> {
  await page.getByRole('main').getByText(text).first().waitFor()
}
