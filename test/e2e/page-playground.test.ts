/** The playground, in a real browser: a client of the gateway's in either era. */
import { ElicitResultSchema } from '@modelcontextprotocol/sdk/types.js'
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

  it('has fields for what schemas say, and JSON for the rest', async () => {
    const properties = {
      size: { enum: ['small', 'large'], default: 'large' },
      colours: { type: 'array', items: { enum: ['red', 'green', 'blue'] } },
      sure: { type: 'boolean' },
      price: { type: 'number' },
      place: {
        type: 'object',
        properties: { street: { type: 'string' }, floor: { type: 'integer', default: 2 } },
      },
      rest: { anyOf: [{ type: 'array' }, { type: 'null' }] },
      left: { type: 'string' },
    }
    await using upstream = await startEcho({
      tools: [{ name: 'order', inputSchema: { type: 'object', properties, required: ['size'] } }],
    })
    await using it = await observed({ targets: [{ name: 'a', mcp: { url: upstream.url } }] })
    await using tab = await openTab(browser, `${it.adminUrl}/#playground`)
    const { page } = tab
    const call = page.getByRole('button', { name: 'Call', exact: true })
    const sent = () => upstream.asked('tools/call').map(({ params }) => params['arguments'])
    await page.getByRole('button', { name: 'Connect', exact: true }).click()
    await page.getByLabel('green').check()
    await page.getByLabel('blue').check()
    await page.getByLabel('sure').selectOption('no')
    await page.getByLabel('price').fill('1.5e1')
    await page.getByLabel('street').fill('Main St')
    await page.getByLabel('rest').fill('[1, ')
    await call.click()
    await page
      .getByRole('alert')
      .getByText(/^rest: /)
      .waitFor()
    await page.getByLabel('rest').fill('[1, {"a": null}]')
    await call.click()
    await expect.poll(sent).toEqual([
      {
        size: 'large',
        colours: ['green', 'blue'],
        sure: false,
        price: 15,
        place: { street: 'Main St', floor: 2 },
        rest: [1, { a: null }],
      },
    ])
    await page.getByLabel('Edit as JSON').check()
    await page.getByLabel('Arguments, as JSON').fill('{"__proto__": {"x": 1}, "left": ""}')
    await call.click()
    await expect.poll(() => JSON.stringify(sent()[1])).toBe('{"__proto__":{"x":1},"left":""}')
    expect(tab.wrong).toEqual([])
  })

  it('names the address that a server wants to be opened, and links to those of the web alone', async () => {
    const urls = ['https://login.example.com/authorize?x=1', 'javascript:alert(1)//example.com']
    await using upstream = await startEcho({
      handlers: {
        'tools/call': async (_, { sendRequest }) => {
          const url = urls[answers.length] ?? ''
          const params = { mode: 'url', message: 'Log in', url, elicitationId: `${answers.length}` }
          const request = { method: 'elicitation/create', params }
          answers.push(await sendRequest(request as never, ElicitResultSchema))
          return { content: [] }
        },
      },
    })
    const answers: unknown[] = []
    await using it = await observed({ targets: [{ name: 'a', mcp: { url: upstream.url } }] })
    await using tab = await openTab(browser, `${it.adminUrl}/#playground`)
    const { page } = tab
    const question = page.getByRole('form', { name: 'The server asks' })
    await page.getByRole('button', { name: 'Connect', exact: true }).click()
    await page.getByRole('button', { name: 'Call', exact: true }).click()
    const link = question.getByRole('link', { name: urls[0] ?? '', exact: true })
    expect(await link.getAttribute('rel')).toBe('noopener noreferrer')
    await question.getByRole('button', { name: 'Done' }).click()
    await sees(page, 'It worked.')
    await page.getByRole('button', { name: 'Call', exact: true }).click()
    await question.getByText(/^It names no address that could be opened: javascript:/).waitFor()
    expect(await question.getByRole('link').count()).toBe(0)
    await question.getByRole('button', { name: 'Decline' }).click()
    await expect.poll(() => answers).toEqual([{ action: 'accept' }, { action: 'decline' }])
    expect(tab.wrong).toEqual([])
  })
})
