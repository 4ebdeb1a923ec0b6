/** What others call things, in a real browser. */
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeWithBrowser, launch, openTab } from '../support/browser.js'
import { observed } from '../support/observed-gateway.js'
import { operation } from '../support/operations.js'
import { LANDED, open, SCREENS, sees } from '../support/page-screens.js'
import { startEcho } from '../support/upstream-server.js'

describeWithBrowser('the page', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(() => browser?.close())

  it('shows what servers and clients call things as text, whatever is in it', async () => {
    const hostile = (where: string) =>
      `${where}"><img src=x onerror="window.hacked='${where}'"><script>window.hacked=1</script>\u202e\u200b`
    const inputSchema = {
      type: 'object',
      title: hostile('title'),
      properties: {
        [hostile('property')]: {
          type: 'string',
          description: hostile('hint'),
          default: hostile('default'),
        },
        choice: { enum: [hostile('choice'), 'javascript:alert(1)'] },
        __proto__x: { type: 'object', properties: { inner: { title: hostile('inner') } } },
      },
    }
    await using upstream = await startEcho({
      tools: [
        {
          name: hostile('name'),
          title: hostile('title'),
          description: hostile('description'),
          inputSchema,
        },
      ],
      prompts: [{ name: hostile('prompt'), description: hostile('prompt') }],
      resources: [{ uri: `javascript:alert(1)//${hostile('uri')}`, name: hostile('resource') }],
      instructions: hostile('instructions'),
      handlers: {
        'tools/call': () => ({
          content: [{ type: 'text', text: hostile('result') }],
          isError: true,
        }),
      },
    })
    await using it = await observed({
      federation: { naming: { mode: 'never' } },
      targets: [{ name: 'bad', mcp: { url: upstream.url } }],
    })
    const client = { name: hostile('client'), version: hostile('version') }
    const principal = { id: hostile('id'), kind: 'jwt', name: hostile('principal') }
    it.operations.record(
      operation({
        client,
        principal,
        name: hostile('call'),
        errorType: hostile('error'),
        outcome: 'failed',
        target: 'bad',
      }),
    )
    await using tab = await openTab(browser, it.adminUrl)
    const { page } = tab
    for (const screen of SCREENS) {
      await open(page, screen)
      if (screen === 'Catalog') await page.getByRole('button', { name: /^name">/ }).click()
      if (screen === 'Agents') await page.locator('summary').click()
      await sees(page, LANDED[screen] ?? /./)
    }
    await open(page, 'Playground')
    await page.getByRole('button', { name: 'Connect', exact: true }).click()
    await sees(page, /property"><img/)
    await page.getByRole('button', { name: 'Call', exact: true }).click()
    await sees(page, /^result"><img.*\\u\{202e\}\\u\{200b\}$/)
    const found = await page.evaluate(`({
      hacked: window.hacked,
      scripts: document.scripts.length,
      images: [...document.images].map((it) => it.getAttribute('src')),
      handlers: document.querySelectorAll('[onerror], [onclick], [style]').length,
      frames: document.querySelectorAll('iframe, object, embed, base').length,
      links: [...document.links].filter((it) => !it.href.startsWith(location.origin)).length,
    })`)
    expect(found).toEqual({
      hacked: undefined,
      scripts: 1,
      images: ['/icon.svg'],
      handlers: 0,
      frames: 0,
      links: 0,
    })
    expect(tab.wrong).toEqual([])
  })
})
