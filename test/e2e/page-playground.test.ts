/** The playground, in a real browser: a client of the gateway's in either era. */
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeWithBrowser, launch, openTab, picture, SIZE } from '../support/browser.js'
import { startGreeter } from '../support/greeter.js'
import { observed } from '../support/observed-gateway.js'
import { sees } from '../support/page-screens.js'
import { startEcho } from '../support/upstream-server.js'

describeWithBrowser('the playground', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(() => browser?.close())

  it.each(['2025-11-25', '2026-07-28'])(
    'calls tools, prompts and resources, and answers what servers ask, as a client of %s',
    async (revision) => {
      await using upstream = await startGreeter()
      await using it = await observed({
        targets: [{ name: 'greeter', mcp: { url: upstream.url }, parkCalls: true }],
      })
      await using tab = await openTab(browser, `${it.adminUrl}/#playground`, SIZE)
      const { page } = tab
      await page.getByLabel('Revision').selectOption({ label: revision })
      await page.getByRole('button', { name: 'Connect', exact: true }).click()
      await sees(page, 'Connected to')
      await page.getByLabel('name (required)').fill('you')
      await page.getByLabel('times').fill('2')
      await page.getByRole('button', { name: 'Call', exact: true }).click()
      await page.getByText('Hello you', { exact: true }).waitFor()
      expect(upstream.asked('tools/call').at(-1)?.params['arguments']).toEqual({
        name: 'you',
        times: 2,
      })
      await page.getByRole('region', { name: 'Raw messages' }).getByText('"half of it"').waitFor()

      await page.getByLabel('ask', { exact: true }).selectOption('yes')
      await page.getByRole('button', { name: 'Call', exact: true }).click()
      const question = page.getByRole('form', { name: 'The server asks' })
      await question.getByText('[greeter] Who are you?').waitFor()
      await question.getByLabel('Your name').fill('Ada')
      if (revision === '2025-11-25') await picture(page, 'playground')
      await question.getByRole('button', { name: 'Answer' }).click()
      await page.getByText('Hello Ada', { exact: true }).waitFor()
      await question.waitFor({ state: 'detached' })

      await page.getByLabel('What').selectOption('prompts')
      await page.getByLabel('who', { exact: true }).fill('Bob')
      await page.getByRole('button', { name: 'Call', exact: true }).click()
      await page.getByText('{"who":"Bob"}', { exact: true }).waitFor()
      await page.getByLabel('What').selectOption('resources')
      await page.getByRole('button', { name: 'Call', exact: true }).click()
      await page.getByText('A greeting', { exact: true }).waitFor()
      expect(tab.wrong).toEqual([])
    },
  )

  it.each(['2025-11-25', '2026-07-28'])('cancels calls as a client of %s', async (revision) => {
    const ended: string[] = []
    await using upstream = await startEcho({
      handlers: {
        'tools/call': (_, { signal }) =>
          new Promise((resolve) => {
            signal.addEventListener('abort', () => {
              ended.push('cancelled')
              resolve({})
            })
            ended.push('begun')
          }),
      },
    })
    await using it = await observed({ targets: [{ name: 'a', mcp: { url: upstream.url } }] })
    await using tab = await openTab(browser, `${it.adminUrl}/#playground`)
    const { page } = tab
    await page.getByLabel('Revision').selectOption({ label: revision })
    await page.getByRole('button', { name: 'Connect', exact: true }).click()
    await page.getByRole('button', { name: 'Call', exact: true }).click()
    await expect.poll(() => ended).toEqual(['begun'])
    await page.getByRole('button', { name: 'Cancel', exact: true }).click()
    await expect.poll(() => ended).toEqual(['begun', 'cancelled'])
    await sees(page, 'Cancelled.')
    expect(tab.wrong).toEqual([])
  })
})
