/** The page, in a real browser, with live traffic. */
import axe from 'axe-core'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { describeWithBrowser, launch, openTab, picture, SIZE } from '../support/browser.js'
import { GREET, startGreeter } from '../support/greeter.js'
import { observed } from '../support/observed-gateway.js'
import { anHour, operation } from '../support/operations.js'
import { LANDED, open, SCREENS, sees } from '../support/page-screens.js'
import { openSession } from '../support/raw-client.js'
import { startHostile } from '../support/raw-http-server.js'
import { TcpProxy } from '../support/tcp-proxy.js'
import { startVariant } from '../support/variant-servers.js'

const TOKEN = 'a-token-for-the-test'

describeWithBrowser('the page', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(() => browser?.close())

  it('shows which servers are left alone, and why', async () => {
    await using upstream = await startHostile(
      (_message, response) => void response.writeHead(503).end(),
    )
    await using it = await observed({
      targets: [
        { name: 'failing', mcp: { url: upstream.url }, circuitBreaker: { consecutiveFailures: 1 } },
      ],
    })
    await (await openSession(it.gateway.url)).call('failing__bad')
    await using tab = await openTab(browser, it.adminUrl, SIZE)
    await open(tab.page, 'Backends')
    const row = tab.page.getByRole('row', { name: /^failing/ })
    await row.getByText('left alone until').waitFor()
    expect(await row.textContent()).toContain('HTTP 503')
  })

  it('shows variants and what they have, and restores one that was given up', async () => {
    await using stable = await startVariant('legacy', 'stable')
    await using canary = await startVariant('legacy', 'canary', { tools: ['fresh'] })
    const variants = [
      { name: 'stable', mcp: { url: stable.url } },
      { name: 'canary', when: 'request.headers["x-b"] == "1"', mcp: { url: canary.url } },
    ]
    const rollback = { errorRate: 0.1, minCalls: 1 }
    await using it = await observed({ targets: [{ name: 'search', variants, rollback }] })
    const session = await openSession(it.gateway.url, undefined, {}, { 'x-b': '1' })
    canary.behave('tool-error')
    await session.call('search__who')
    await using tab = await openTab(browser, it.adminUrl, SIZE)
    const { page } = tab
    await open(page, 'Backends')
    const row = page.getByRole('row', { name: /^search@canary/ })
    await row.getByText('given up: 1 of 1 calls failed').waitFor()
    await row.getByText('weight 0, when request.headers["x-b"] == "1"').waitFor()
    await page.getByRole('button', { name: 'Restore search@canary' }).click()
    await row.getByText('given up').waitFor({ state: 'detached' })
    await open(page, 'Catalog')
    await page.getByRole('button', { name: 'search__fresh' }).click()
    await page.getByRole('region', { name: 'Definition' }).getByText('"of canary"').waitFor()
    await open(page, 'Live calls')
    await page.getByRole('row', { name: /search__who.*search@canary/ }).waitFor()
    await open(page, 'Connect')
    const choices = page.getByLabel('Connect to').getByRole('option')
    await expect.poll(() => choices.count()).toBe(2)
  })

  it('answers which agent called which tool, and whether it was slow because of us', async () => {
    await using upstream = await startGreeter()
    await using it = await observed({
      targets: [
        { name: 'greeter', mcp: { url: upstream.url } },
        { name: 'broken', mcp: { url: 'http://127.0.0.1:1/mcp' } },
      ],
      authorization: { rules: [{ deny: 'mcp.tool.arguments.name == "nobody"' }] },
    })
    for (const sample of anHour()) it.operations.record(sample)
    const session = await openSession(it.gateway.url)
    await session.call('greeter__greet', { name: 'nobody' })
    await session.call('greeter__greet', { name: 'Ada' })
    await using tab = await openTab(browser, it.adminUrl, SIZE)
    const { page } = tab
    const live = page.getByText('● live')
    await live.waitFor()
    await sees(page, '1 of 2')
    await page.getByRole('img', { name: /^Latency\. p50: .* now/ }).waitFor()
    await page.getByRole('cell', { name: /unreachable/ }).waitFor()
    await picture(page, 'overview')

    await open(page, 'Backends')
    const broken = page.getByRole('row', { name: /^broken/ })
    await broken.getByText('unreachable').waitFor()
    await page.getByRole('row', { name: /^greeter.*ready.*http · legacy.*2025-11-25/s }).waitFor()
    const before = upstream.initialized.length
    await page.getByRole('button', { name: 'Reconnect greeter' }).click()
    await expect.poll(() => upstream.initialized.length).toBeGreaterThan(before)

    await open(page, 'Catalog')
    await page.getByRole('button', { name: 'greeter__greet' }).click()
    await page
      .getByRole('region', { name: 'Definition' })
      .getByText('"Ask for the name."')
      .waitFor()
    await page.getByLabel('Search').fill('no such thing')
    await sees(page, 'Served (0): Nothing yet.')
    upstream.lists.tools = [GREET, { ...GREET, name: 'wave' }]
    await upstream.notifyListChanged('tools')
    await sees(page, 'tools added')

    await open(page, 'Live calls')
    it.operations.record(operation({ name: 'greeter__live', target: 'greeter', outcome: 'failed' }))
    const live2 = page.getByRole('row', { name: /greeter__live.*failed/ })
    await live2.waitFor()
    await picture(page, 'calls')
    await page.getByLabel('Outcome').selectOption('denied')
    await live2.waitFor({ state: 'detached' })
    await page.getByLabel('Outcome').selectOption('')
    await page.getByLabel('Tool, prompt, URI or method').fill('LIVE')
    await expect.poll(() => page.locator('tbody tr').count()).toBe(1)
    await page.getByRole('img', { name: 'server 10 ms, gateway 2.0 ms' }).waitFor()

    await page.getByLabel('Tool, prompt, URI or method').fill('greet')
    await page.getByLabel('Principal, client or session').fill('raw')
    await page.getByRole('row', { name: /greeter__greet.*tools\/call.*raw 1.*ok/ }).waitFor()

    await open(page, 'Agents')
    await page.getByText('claude-code 2.1').click()
    await page
      .getByRole('row', { name: /tools\/call.*greeter__greet/ })
      .first()
      .waitFor()

    await open(page, 'Denied')
    await page
      .getByRole('row', { name: /greeter__greet.*rule.*deny: mcp\.tool\.arguments/ })
      .waitFor()
    await session.call('greeter__greet', { name: 'nobody' })
    await expect.poll(() => page.locator('tbody tr').count()).toBe(2)

    await open(page, 'Sessions')
    await page.getByRole('row', { name: /raw 1.*anonymous.*everything/ }).waitFor()
    await open(page, 'Connect')
    await sees(page, `claude mcp add --transport http junction ${it.gateway.url}`)
    await page.getByLabel('Connect to').selectOption('greeter')
    await sees(page, `claude mcp add --transport http junction ${it.gateway.url}/greeter`)
    await open(page, 'Configuration')
    await sees(page, '"failureMode": "open"')
    expect(tab.wrong).toEqual([])
  })

  it('comes back by itself when the gateway has been started anew', async () => {
    const first = await observed({ targets: [] })
    await using wire = await TcpProxy.start(first.adminUrl)
    await using tab = await openTab(browser, `http://127.0.0.1:${wire.port}`)
    const { page } = tab
    await page.getByText('● live').waitFor()
    wire.cut()
    await first.gateway.close()
    await page.getByText('not connected; trying again').waitFor()
    await using second = await observed({
      targets: [{ name: 'new', mcp: { url: 'http://127.0.0.1:1/mcp' } }],
    })
    wire.mend(second.adminUrl)
    await page.getByText('● live').waitFor()
    await sees(page, '0 of 1')
    expect(tab.wrong.filter((it) => it.startsWith('error'))).toEqual([])
  })

  it('asks for the token where it can be reached from elsewhere, and keeps it out of addresses', async () => {
    await using it = await observed({
      admin: { host: '0.0.0.0', port: 0, token: TOKEN },
      targets: [],
    })
    await using tab = await openTab(browser, it.adminUrl)
    const { page } = tab
    const asked: string[] = []
    page.on('request', (request) => asked.push(request.url()))
    await page.getByLabel('Token').fill('not the token at all')
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByRole('alert').getByText('This is not the token.').waitFor()
    await page.getByLabel('Token').fill(TOKEN)
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'Overview' }).waitFor()
    await page.getByText('● live').waitFor()
    await page.reload()
    await page.getByText('● live').waitFor()
    expect(asked.filter((url) => url.includes(TOKEN))).toEqual([])
    expect(asked.some((url) => url.endsWith('/api/v1/events'))).toBe(true)
    await page.getByRole('button', { name: 'Forget the token' }).click()
    await page.getByLabel('Token').waitFor()
    expect(await page.evaluate('sessionStorage.length + localStorage.length')).toBe(0)
  })

  it('is used with the keyboard alone', async () => {
    await using upstream = await startGreeter()
    await using it = await observed({ targets: [{ name: 'greeter', mcp: { url: upstream.url } }] })
    await using tab = await openTab(browser, it.adminUrl)
    const { page } = tab
    const { keyboard } = page
    await page.getByText('● live').waitFor()
    const focused = () => page.evaluate('document.activeElement?.textContent')
    const tabTo = async (text: string) => {
      for (let presses = 0; presses < 60; presses++) {
        await keyboard.press('Tab')
        if ((await focused()) === text) return
      }
      throw new Error(`"${text}" is not reached with the tab key`)
    }
    await keyboard.press('Tab')
    expect(await focused()).toBe('Skip to the content')
    await keyboard.press('Enter')
    expect(await page.evaluate('document.activeElement?.id')).toBe('main')
    await page.reload()
    await page.getByText('● live').waitFor()
    await tabTo('Backends')
    await keyboard.press('Enter')
    await page.getByRole('heading', { level: 1, name: 'Backends' }).waitFor()
    expect(await page.evaluate('document.activeElement?.id')).toBe('main')
    await tabTo('Reconnect')
    const before = upstream.initialized.length
    await keyboard.press('Enter')
    await expect.poll(() => upstream.initialized.length).toBeGreaterThan(before)
    // What is drawn anew keeps the focus.
    await sees(page, 'ready')
    expect(await focused()).toBe('Reconnect')
    expect(tab.wrong).toEqual([])
  })

  it.each(['light', 'dark'] as const)(
    'has nothing that keeps people out, when it is %s',
    async (colorScheme) => {
      await using upstream = await startGreeter()
      await using it = await observed({
        targets: [{ name: 'greeter', mcp: { url: upstream.url } }],
      })
      for (const sample of anHour().slice(-50)) it.operations.record(sample)
      await using tab = await openTab(browser, it.adminUrl, { colorScheme })
      const { page } = tab
      await page.evaluate(axe.source)
      for (const screen of SCREENS) {
        await open(page, screen)
        await sees(page, LANDED[screen] ?? /./)
        if (screen === 'Playground') {
          await page.getByRole('button', { name: 'Connect', exact: true }).click()
          await sees(page, 'Greets somebody.')
        }
        const serious = await page.evaluate(async () => {
          const { violations } = await (globalThis as unknown as { axe: typeof axe }).axe.run()
          return violations
            .filter((it) => it.impact === 'serious' || it.impact === 'critical')
            .map((it) => `${it.id}: ${it.nodes.map((node) => node.html.slice(0, 200)).join('; ')}`)
        })
        expect([screen, serious]).toEqual([screen, []])
      }
      await page.setViewportSize({ width: 360, height: 740 })
      for (const screen of SCREENS) {
        await open(page, screen)
        const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth')
        expect([screen, overflow]).toEqual([screen, 0])
      }
    },
  )
})
