/** What is made once and kept, of targets with variants: it is each variant's own. */
import { describe, expect, it } from 'vitest'
import { configOf, startGateway } from '../support/gateway.js'
import { ModernClient } from '../support/modern-client.js'
import { openSession } from '../support/raw-client.js'
import { startUpstream } from '../support/upstream-server.js'
import { answererIn } from '../support/variant-servers.js'
import { waitUntil } from '../support/wait-until.js'

const BETA = { 'x-beta': 'yes' }
const inputSchema = { type: 'object' }
const PROMPTS = [{ name: 'p' }]

function saying(text: string) {
  return { 'tools/call': () => ({ content: [{ type: 'text', text }] }) }
}

function varied(stable: { readonly url: string }, canary: { readonly url: string }) {
  const when = 'request.headers["x-beta"] == "yes"'
  return {
    name: 'a',
    variants: [
      { name: 'stable', mcp: { url: stable.url } },
      { name: 'canary', when, mcp: { url: canary.url } },
    ],
  }
}

describe('what is remembered of a target with variants', () => {
  it('is what each says of itself, then and after it has changed', async () => {
    await using stable = await startUpstream({ instructions: 'I am stable.' })
    await using canary = await startUpstream({ instructions: 'I am new.', prompts: PROMPTS })
    await using gateway = await startGateway({ targets: [varied(stable, canary)] })
    const opened = async (headers = {}) =>
      (await openSession(gateway.url, undefined, {}, headers)).initialized
    const modern = new ModernClient(gateway.url)
    const discovered = async (headers = {}) =>
      (await modern.request('server/discover', {}, { headers })).json['result']
    const [usual, beta] = [/I am stable\./, /I am new\./].map((text) => ({
      instructions: expect.stringMatching(text) as string,
    }))
    for (let round = 0; round < 2; round++) {
      expect(await opened()).toMatchObject(usual ?? {})
      expect((await opened())['capabilities']).not.toHaveProperty('prompts')
      expect(await opened(BETA)).toMatchObject({ ...beta, capabilities: { prompts: {} } })
      expect(await discovered()).toMatchObject(usual ?? {})
      expect(await discovered(BETA)).toMatchObject({ ...beta, capabilities: { prompts: {} } })
    }

    await using next = await startUpstream({ instructions: 'I am newer.' })
    gateway.apply(configOf({ targets: [varied(stable, next)] }))
    await waitUntil(
      async () => String((await opened(BETA))['instructions']).includes('I am newer.'),
      'the next canary',
    )
    expect((await opened(BETA))['capabilities']).not.toHaveProperty('prompts')
    expect(await opened()).toMatchObject(usual ?? {})
  })

  it('is what rules decide of each, as it declares its tools', async () => {
    const tool = { name: 'who', inputSchema, annotations: { destructiveHint: false } }
    const other = { ...tool, annotations: { destructiveHint: true } }
    await using stable = await startUpstream({ tools: [tool], handlers: saying('stable') })
    await using canary = await startUpstream({ tools: [other], handlers: saying('canary') })
    const rules = [{ deny: 'mcp.tool.annotations.destructiveHint == true' }]
    await using gateway = await startGateway({
      targets: [varied(stable, canary)],
      authorization: { rules },
    })
    const modern = new ModernClient(gateway.url)
    const [usual, beta] = [
      await openSession(gateway.url),
      await openSession(gateway.url, undefined, {}, BETA),
    ]
    for (let round = 0; round < 3; round++) {
      expect(answererIn(await usual.call('a__who'))).toBe('stable')
      expect(answererIn(await beta.call('a__who'))).toContain('-32602')
      expect(answererIn(await modern.call('a__who'))).toBe('stable')
      expect(answererIn(await modern.call('a__who', {}, { headers: BETA }))).toContain('-32602')
    }
  })

  it('is under what name rules know its tools, though nothing is known of the first of its servers', async () => {
    const tool = { name: 'who', inputSchema }
    await using canary = await startUpstream({ tools: [tool], handlers: saying('canary') })
    await using gateway = await startGateway({
      targets: [varied({ url: 'http://127.0.0.1:1/mcp' }, canary)],
      authorization: { rules: [{ deny: 'mcp.tool.exposedName == "a__who"' }] },
    })
    for (const [url, name] of [
      [gateway.url, 'a__who'],
      [`${gateway.url}/a`, 'who'],
    ] as const) {
      const session = await openSession(url, undefined, {}, BETA)
      const listed = (await session.request('tools/list')).json['result']
      expect(listed).toMatchObject({ tools: [] })
      expect((await session.call(name)).json).toMatchObject({ error: { code: -32602 } })
      const modern = await new ModernClient(url).call(name, {}, { headers: BETA })
      expect(modern.json).toMatchObject({ error: { code: -32602 } })
    }
  })
})
