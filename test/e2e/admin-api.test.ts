/** What the page is made of, asked for without a browser. */
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { startGateway } from '../support/gateway.js'
import { observed } from '../support/observed-gateway.js'
import { operation } from '../support/operations.js'
import type { Headers } from '../support/raw-client.js'
import { follow, get, openSession, send } from '../support/raw-client.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const TOKEN = 'a-token-for-the-test'

describe('the API of the admin listener', () => {
  it('says how many, how well and how fast, now and over the last hour', async () => {
    await using upstream = await startEcho()
    await using it = await observed({ targets: [{ name: 'a', mcp: { url: upstream.url } }] })
    const outcomes = ['ok', 'ok', 'failed', 'denied'] as const
    for (const outcome of outcomes) it.operations.record(operation({ outcome }))
    const old = Date.now() - 30 * 60_000
    it.operations.record(operation({ at: old, durationMs: 900, upstreamMs: 100 }))
    it.operations.record(operation({ at: Date.now() - 2 * 3_600_000 }))

    const status = await it.api('status')
    const counts = { ok: 3, failed: 1, denied: 1 }
    expect(status).toMatchObject({ ready: true, url: it.gateway.url, targets: { total: 1, up: 1 } })
    expect(status['traffic']).toMatchObject({
      lastMinute: { count: 4 },
      lastHour: { count: 5, outcomes: counts },
    })
    const { slots } = (await it.api('history')) as unknown as { slots: Slot[] }
    expect(slots).toHaveLength(180)
    expect(slots.reduce((sum, slot) => sum + slot.count, 0)).toBe(5)
    const slow = slots.find((slot) => slot.at <= old + 900 && slot.at + 20_000 > old + 900)
    expect(slow?.count).toBe(1)
    expect(slow?.gateway.p50).toBeGreaterThan(560)
    expect(slow?.upstream.p50).toBeLessThan(130)

    const { targets } = (await it.api('targets')) as unknown as { targets: JsonObject[] }
    expect(targets[0]?.['traffic']).toMatchObject({
      lastHour: { count: 5, outcomes: counts },
      lastError: { method: 'tools/call', name: 'a__echo' },
    })
  })

  it('says which agent uses which tool, how often and with what outcome', async () => {
    await using it = await observed({ targets: [] })
    it.operations.record(operation())
    it.operations.record(operation({ outcome: 'failed', errorType: 'tool_error' }))
    it.operations.record(operation({ name: 'made up', isKnownName: false, outcome: 'failed' }))
    it.operations.record(operation({ client: { name: 'other', version: '2' } }))
    const { agents } = (await it.api('agents')) as unknown as { agents: JsonObject[] }
    expect(agents).toMatchObject([
      { client: { name: 'other', version: '2' }, count: 1 },
      {
        client: { name: 'agent', version: '1' },
        address: '127.0.0.1',
        count: 3,
        failed: 2,
        uses: [
          { method: 'tools/call', name: 'a__echo', count: 2, failed: 1, averageMs: 12 },
          { name: '_other', count: 1 },
        ],
      },
    ])
  })

  it('has what was really asked, with the share of the server', async () => {
    await using upstream = await startEcho()
    await using it = await observed({ targets: [{ name: 'a', mcp: { url: upstream.url } }] })
    const session = await openSession(it.gateway.url)
    await session.call('a__echo', { x: 1 })
    await session.call('a__none')
    const { operations } = (await it.api('operations')) as unknown as { operations: JsonObject[] }
    const client = { name: 'raw', version: '1' }
    expect(operations.filter((one) => one['method'] === 'tools/call')).toMatchObject([
      { name: 'a__none', isKnownName: false, target: '', outcome: 'failed', client },
      { name: 'a__echo', isKnownName: true, target: 'a', outcome: 'ok', client },
    ])
    const echo = operations.find((one) => one['name'] === 'a__echo') as unknown as Timed
    expect(echo.upstreamMs).toBeGreaterThan(0)
    expect(echo.gatewayMs + echo.upstreamMs).toBeCloseTo(echo.durationMs)
    const { sessions } = (await it.api('sessions')) as unknown as { sessions: JsonObject[] }
    expect(sessions[0]?.['session']).toBe(operations[0]?.['session'])
    const { targets } = (await it.api('targets')) as unknown as { targets: JsonObject[] }
    expect(targets[0]?.['traffic']).toMatchObject({ lastHour: { count: 1 } })
  })

  it('keeps no more than so much, whatever clients call themselves and ask for', async () => {
    await using it = await observed({ targets: [] })
    const begin = Date.now() - 40_000
    for (let index = 0; index < 2_000; index++) {
      const name = `${index}-${'x'.repeat(1_000)}`
      const client = { name, version: name }
      // Of those that come at the same time only some are kept.
      const at = begin + 20 * index
      it.operations.record(operation({ at, client, name, target: name }))
      it.operations.record(operation({ at, method: name, name, isKnownName: false }))
    }
    const { agents } = (await it.api('agents')) as unknown as { agents: { uses: [] }[] }
    expect(agents).toHaveLength(500)
    expect(Math.max(...agents.map(({ uses }) => uses.length))).toBeLessThanOrEqual(101)
    expect((await it.api('operations'))['operations']).toHaveLength(1_000)
    const { text } = await get(`${it.adminUrl}/api/v1/agents`)
    expect(text.length).toBeLessThan(1_500_000)
  })

  it('shows the catalog with owners, both names, what is not served and what has changed', async () => {
    const tool = (name: string) => ({ name, description: name, inputSchema: { type: 'object' } })
    await using a = await startEcho({ tools: [tool('one'), tool('same'), tool('secret')] })
    await using b = await startEcho({ tools: [tool('same')] })
    await using it = await observed({
      federation: { naming: { mode: 'never' } },
      targets: [
        { name: 'a', mcp: { url: a.url }, exclude: ['secret'] },
        { name: 'b', mcp: { url: b.url }, prefix: 'b' },
      ],
    })
    const { items, collisions, hidden, changes } = await it.api('catalog')
    const one = { kind: 'tools', target: 'a', exposed: 'one', original: 'one', description: 'one' }
    expect(items).toEqual([one])
    expect(collisions).toEqual([{ exposed: 'same', targets: ['a', 'b'] }])
    expect(hidden).toMatchObject([
      { target: 'a', original: 'same', because: 'collision' },
      { target: 'a', original: 'secret', because: 'filter' },
      { target: 'b', original: 'same', because: 'collision' },
    ])
    expect(changes).toMatchObject([{ change: 'read' }, { change: 'read' }])
    const definition = await it.api('definition?kind=tools&target=a&name=secret')
    expect(definition).toEqual(tool('secret'))
    expect(await it.api('definition?kind=tools&target=a&name=none')).toHaveProperty('error')

    a.lists.tools = [tool('two'), { ...tool('one'), description: 'another' }]
    await a.notifyListChanged('tools')
    const newest = async () => (await it.api('catalog'))['changes'] as unknown as JsonObject[]
    await waitUntil(async () => (await newest()).length === 5, 'the change to be noted')
    expect(await newest()).toMatchObject([
      { target: 'a', kind: 'tools', change: 'removed', names: ['same', 'secret'] },
      { target: 'a', kind: 'tools', change: 'changed', names: ['one'] },
      { target: 'a', kind: 'tools', change: 'added', names: ['two'] },
      {},
      {},
    ])
  })

  it('says who was denied what, by which rule, scope or limit', async () => {
    await using upstream = await startEcho()
    await using it = await observed({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
      authorization: {
        rules: [{ deny: 'mcp.tool.name == "echo" && mcp.tool.arguments.x == 1' }],
        toolScopes: { a__scoped: ['files:write'] },
      },
      limits: [{ per: ['principal'], rate: '1/1h' }],
    })
    const session = await openSession(it.gateway.url)
    await session.call('a__echo', { x: 1 })
    await session.call('a__scoped')
    await session.call('a__echo', { x: 2 })
    const { denials } = (await it.api('denials')) as unknown as { denials: JsonObject[] }
    expect(denials).toMatchObject([
      { reason: 'limit', by: 'rate', name: 'a__echo', target: 'a' },
      { reason: 'scope', by: 'files:write', name: 'a__scoped' },
      {
        reason: 'rule',
        by: 'deny: mcp.tool.name == "echo" && mcp.tool.arguments.x == 1',
        name: 'a__echo',
        target: 'a',
        principal: { kind: 'anonymous' },
        client: { name: 'raw', version: '1' },
        address: '127.0.0.1',
      },
    ])
  })

  it('shows sessions without what opens them, and the configuration without secrets', async () => {
    await using upstream = await startEcho()
    await using gateway = await startGateway({
      admin: { port: 0, token: TOKEN },
      sessions: { keys: ['ab'.repeat(32)] },
      authentication: { mode: 'optional', apiKeys: [{ name: 'ci', key: 's3cr3t-s3cr3t-s3cr3t' }] },
      targets: [
        {
          name: 'a',
          mcp: { url: `${upstream.url}?key=s3cr3t` },
          headers: { set: { 'x-team': 's3cr3t' } },
          auth: { bearer: 's3cr3t' },
        },
        { name: 'b', stdio: { command: '/bin/false', args: ['s3cr3t'], env: { K: 's3cr3t' } } },
      ],
    })
    const session = await openSession(gateway.url)
    const read = (path: string) =>
      get(`${gateway.adminUrl}/api/v1/${path}`, { authorization: `Bearer ${TOKEN}` })
    const sessions = await read('sessions')
    expect(sessions.json).toMatchObject({
      count: 1,
      sessions: [{ client: { name: 'raw', version: '1' }, protocolVersion: '2025-11-25' }],
    })
    expect(sessions.text).not.toContain(session.id)
    const config = await read('config')
    expect(config.json).toMatchObject({
      admin: { token: '(set)' },
      sessions: { keys: 1 },
      authentication: { apiKeys: [{ name: 'ci', key: '(set)' }] },
      targets: [
        { name: 'a', address: upstream.url, headers: ['x-team', 'authorization'] },
        { env: ['K'], arguments: 1 },
      ],
    })
    const names = ['status', 'targets', 'catalog', 'denials', 'operations', 'history', 'agents']
    for (const name of ['config', 'sessions', ...names]) {
      const { text, status } = await read(name)
      expect([name, status]).toEqual([name, 200])
      expect(text).not.toMatch(/s3cr3t|a-token-for|abab/)
    }
  })
})

describe('what happens, as it happens', () => {
  it('is sent to whoever watches: operations, denials, targets and catalogs', async () => {
    await using upstream = await startEcho()
    await using it = await observed({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
      authorization: { rules: [{ deny: 'mcp.tool.arguments.x == 1' }] },
    })
    const stream = await follow('GET', `${it.adminUrl}/api/v1/events`, undefined, {})
    const heard = (kind: string) => stream.messages.filter((message) => message['kind'] === kind)
    await waitUntil(() => heard('hello').length === 1, 'the stream to be open')
    for (let index = 0; index < 60; index++) it.operations.record(operation())
    const session = await openSession(it.gateway.url)
    await session.call('a__echo', { x: 1 })
    await upstream.kill()
    const kinds = ['operations', 'denials', 'targets']
    await waitUntil(() => kinds.every((kind) => heard(kind).length > 0), 'all of it to be told')
    const [first] = heard('operations') as unknown as { items: []; skipped: number }[]
    expect(first?.items.length).toBeLessThanOrEqual(50)
    expect(first?.skipped).toBeGreaterThanOrEqual(10)
    expect(JSON.stringify(heard('targets'))).toContain('"name":"a"')
    stream.close()
  })

  it('is refused to the thirty-third', async () => {
    await using it = await observed({ targets: [] })
    const open = () => follow('GET', `${it.adminUrl}/api/v1/events`, undefined, {})
    const streams = await Promise.all(Array.from({ length: 32 }, open))
    expect((await open()).status).toBe(503)
    for (const stream of streams) stream.close()
    await waitUntil(async () => {
      const another = await open()
      another.close()
      return another.status === 200
    }, 'room for another')
  })
})

describe('what the page does', () => {
  it('connects a target anew', async () => {
    await using upstream = await startEcho()
    await using it = await observed({ targets: [{ name: 'a', mcp: { url: upstream.url } }] })
    const before = upstream.initialized.length
    expect((await it.act('targets/a/reconnect')).status).toBe(202)
    await waitUntil(() => upstream.initialized.length > before, 'the target to be connected anew')
    expect((await it.act('targets/none/reconnect')).status).toBe(404)
    await upstream.kill()
    const down = () => it.gateway.readiness().targets.some((target) => !target.ready)
    await waitUntil(down, 'the loss to be seen')
    await upstream.start()
    await it.act('targets/a/reconnect')
    await waitUntil(() => !down(), 'the target to be there again')
  })

  it('is done for the page and for tools without a browser, and for no other page', async () => {
    await using upstream = await startEcho()
    await using it = await observed({ targets: [{ name: 'a', mcp: { url: upstream.url } }] })
    const { host } = new URL(it.adminUrl)
    const statusOf = async (headers: Headers) =>
      (await it.act('targets/a/reconnect', {}, headers)).status
    expect(await statusOf({ origin: `http://${host}`, 'sec-fetch-site': 'same-origin' })).toBe(202)
    expect(await statusOf({ origin: 'http://localhost:3000' })).toBe(403)
    expect(await statusOf({ 'sec-fetch-site': 'same-site' })).toBe(403)
    expect(await statusOf({ 'sec-fetch-site': 'none' })).toBe(403)
    expect(await statusOf({ 'content-type': 'text/plain' })).toBe(415)
    expect(await statusOf({ 'content-type': undefined })).toBe(415)
    expect(await statusOf({ origin: 'null' })).toBe(403)
    expect(await statusOf({ host: 'rebound.example' })).toBe(403)
  })

  it('needs the token, and nothing of the page itself does', async () => {
    await using gateway = await startGateway({ admin: { port: 0, token: TOKEN }, targets: [] })
    const ask = (method: string, path: string, headers: Headers = {}) =>
      send(method, `${gateway.adminUrl}${path}`, method === 'GET' ? undefined : '{}', headers)
    for (const path of ['/api/v1/events', '/api/v1/config', '/api/v1/operations', '/api/v1/x']) {
      expect((await ask('GET', path)).status).toBe(401)
      expect((await ask('GET', `${path}?token=${TOKEN}`)).status).toBe(401)
    }
    for (const path of ['/api/v1/playground', '/api/v1/targets/a/reconnect']) {
      expect((await ask('POST', path)).status).toBe(401)
    }
    const { status, headers } = await ask('GET', '/')
    expect(status).toBe(200)
    expect(headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
    })
    const policy = String(headers['content-security-policy'])
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'")
    expect(policy).toContain("frame-ancestors 'none'")
    expect(policy).not.toContain('unsafe')
    expect((await ask('GET', '/', { 'if-none-match': String(headers['etag']) })).status).toBe(304)
    expect((await ask('GET', '/', { host: 'rebound.example' })).status).toBe(403)
    expect((await ask('GET', '/package.json')).status).toBe(401)
    const scrape = await ask('GET', '/metrics', { authorization: `Bearer ${TOKEN}` })
    expect(scrape.headers['x-content-type-options']).toBe('nosniff')

    // Where anybody can reach it by any name, the page has the name by which it was reached.
    const admin = { host: '0.0.0.0', port: 0, token: TOKEN }
    await using open = await startGateway({ admin, targets: [] })
    const named = { host: 'gateway.example:9090', authorization: `Bearer ${TOKEN}` }
    const statusOf = async (origin: string) =>
      (await get(`${open.adminUrl}/api/v1/status`, { ...named, origin })).status
    expect(await statusOf('http://gateway.example:9090')).toBe(200)
    expect(await statusOf('http://evil.example')).toBe(403)
    expect(await statusOf('null')).toBe(403)
  })
})

interface Timed {
  readonly durationMs: number
  readonly upstreamMs: number
  readonly gatewayMs: number
}

interface Slot {
  readonly at: number
  readonly count: number
  readonly gateway: { readonly p50: number }
  readonly upstream: { readonly p50: number }
}
