/** The page, in a real browser, with live traffic. */
import axe from 'axe-core'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import type { Operation } from '../../src/telemetry/operations.js'
import { describeWithBrowser, launch, openTab, picture } from '../support/browser.js'
import { observed } from '../support/observed-gateway.js'
import { operation } from '../support/operations.js'
import { openSession } from '../support/raw-client.js'
import { TcpProxy } from '../support/tcp-proxy.js'
import type { Handler } from '../support/upstream-server.js'
import { startEcho } from '../support/upstream-server.js'

const SCREENS = [
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
const SIZE = { viewport: { width: 1200, height: 760 } }
const TOKEN = 'a-token-for-the-test'

/** Asks who it is, where its arguments say so, reports progress, and greets. */
const greet: Handler = async ({ arguments: given, _meta }, { sendRequest, sendNotification }) => {
  const { progressToken } = (_meta ?? {}) as { progressToken?: string | number }
  if (progressToken !== undefined) {
    const params = { progressToken, progress: 1, total: 2, message: 'half of it' }
    await sendNotification({ method: 'notifications/progress', params })
  }
  const { ask = false, name = '' } = given as { ask?: boolean; name?: string }
  if (!ask) return { content: [{ type: 'text', text: `Hello ${name}` }] }
  const properties = { who: { type: 'string', title: 'Your name' } }
  const { content } = (await sendRequest(
    {
      method: 'elicitation/create',
      params: { message: 'Who are you?', requestedSchema: { type: 'object', properties } },
    } as never,
    ANY as never,
  )) as { content: { who: string } }
  return { content: [{ type: 'text', text: `Hello ${content.who}` }] }
}
const ANY = {
  parse: (value: unknown) => value,
  safeParse: (data: unknown) => ({ success: true, data }),
}

const GREET = {
  name: 'greet',
  description: 'Greets somebody.',
  inputSchema: {
    type: 'object',
    properties: {
      name: { type: 'string', description: 'Whom.' },
      ask: { type: 'boolean', description: 'Ask for the name.' },
      times: { type: 'integer' },
    },
    required: ['name'],
  },
}
const parkCalls = { parkCalls: true }

function startGreeter() {
  return startEcho({
    tools: [GREET],
    prompts: [{ name: 'hello', description: 'A greeting', arguments: [{ name: 'who' }] }],
    resources: [{ uri: 'file:///greeting.txt', name: 'greeting' }],
    handlers: {
      'tools/call': greet,
      'prompts/get': ({ arguments: given }) => ({
        messages: [{ role: 'user', content: { type: 'text', text: JSON.stringify(given) } }],
      }),
      'resources/read': ({ uri }) => ({ contents: [{ uri: uri ?? '', text: 'A greeting' }] }),
    },
  })
}

async function open(page: Page, screen: string): Promise<void> {
  await page.getByRole('link', { name: screen, exact: true }).click()
  await page.getByRole('heading', { level: 1, name: screen, exact: true }).waitFor()
}

async function sees(page: Page, text: string | RegExp): Promise<void> {
  await page.getByRole('main').getByText(text).first().waitFor()
}

describeWithBrowser('the page', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await launch()
  })
  afterAll(() => browser?.close())

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

  it.each(['2025-11-25', '2026-07-28'])(
    'calls tools, prompts and resources, and answers what servers ask, as a client of %s',
    async (revision) => {
      await using upstream = await startGreeter()
      await using it = await observed({
        targets: [{ name: 'greeter', mcp: { url: upstream.url }, ...parkCalls }],
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
  })

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

/** What shows that a screen has got its data. */
const LANDED: Readonly<Record<string, RegExp>> = {
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

/** Traffic as it might have been: two agents, two tools, some of it wrong, and slower in the middle. */
function anHour(): Operation[] {
  const now = Date.now()
  const agents = [
    { name: 'claude-code', version: '2.1' },
    { name: 'cursor', version: '3.0' },
  ]
  return Array.from({ length: 900 }, (_, index) => {
    const wave = 1 + Math.sin(index / 60)
    const upstreamMs = 20 + 60 * wave + (index % 17)
    const isDenied = index % 41 === 0
    const isFailed = index % 29 === 0
    const tool = index % 3 === 0 ? 'greet' : 'search'
    const more: JsonObject = {}
    return {
      ...operation({
        at: now - (900 - index) * 4_000,
        name: `greeter__${tool}`,
        target: 'greeter',
        client: agents[index % 2] ?? { name: '', version: '' },
        principal: { id: 'jwt:x', kind: 'jwt', name: index % 2 === 0 ? 'ada@example.com' : 'ci' },
        outcome: isDenied ? 'denied' : isFailed ? 'failed' : 'ok',
        errorType: isFailed ? 'tool_error' : '',
        upstreamMs,
        durationMs: upstreamMs + 0.5 + (index % 5) / 5,
      }),
      ...more,
    }
  })
}
