/** The log of requests: one line for each, without anything that is secret. */
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import type { SpawnedGateway } from '../support/gateway.js'
import { spawnGateway } from '../support/gateway.js'
import { ModernClient } from '../support/modern-client.js'
import { get, openSession, post, send } from '../support/raw-client.js'
import { startEcho, startUpstream } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const requestsOf = ({ log }: SpawnedGateway) => log.filter((it) => it['msg'] === 'request')

async function requests(gateway: SpawnedGateway, count: number): Promise<readonly JsonObject[]> {
  await waitUntil(() => requestsOf(gateway).length >= count, `${count} lines`)
  return requestsOf(gateway)
}

const adminOf = ({ log }: SpawnedGateway) =>
  String(log.find((it) => it['msg'] === 'admin listener')?.['url'])

describe('the access log', () => {
  it('has one line for each request, of either era, alone or in a batch', async () => {
    await using upstream = await startEcho({
      tools: ['echo', 'fails', 'secret'].map((name) => ({ name, inputSchema: { type: 'object' } })),
      handlers: {
        'tools/call': ({ name }) => ({ content: [], isError: name === 'fails' }),
      },
    })
    await using gateway = await spawnGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
      attributes: [{ method: 'tools/call', path: 'params.arguments.city' }],
      limits: [{ rate: '1/1h', per: ['tool'] }],
      authorization: { rules: [{ deny: 'mcp.tool.name == "secret"' }] },
    })
    const session = await openSession(gateway.url, '2025-03-26')
    await session.call('a__echo', { city: 'Paris', password: 'pl4nted' })
    await session.call('a__echo')
    await session.call('a__fails')
    await session.call('a__secret')
    await session.call('a__unknown')
    const batch = ['ping', 'tools/list', 'made/up'].map((method, id) => ({
      jsonrpc: '2.0',
      id: 100 + id,
      method,
    }))
    await post(gateway.url, batch, session.headers)
    await new ModernClient(gateway.url).request('tools/list')
    const lines = await requests(gateway, 10)
    const told = lines.map((it) => {
      return [it['method'], it['name'], it['target'], it['outcome'], it['errorType']]
    })
    // Those of a batch are told as they are answered.
    const batched = told.slice(6, 9).toSorted((a, b) => String(a).localeCompare(String(b)))
    expect([...told.slice(0, 6), ...batched, ...told.slice(9)]).toEqual([
      ['initialize', undefined, undefined, 'ok', undefined],
      ['tools/call', 'a__echo', 'a', 'ok', undefined],
      ['tools/call', 'a__echo', 'a', 'limited', 'tool_error'],
      ['tools/call', 'a__fails', 'a', 'failed', 'tool_error'],
      ['tools/call', 'a__secret', 'a', 'denied', '-32602'],
      ['tools/call', 'a__unknown', undefined, 'failed', '-32602'],
      ['made/up', undefined, undefined, 'failed', '-32601'],
      ['ping', undefined, undefined, 'ok', undefined],
      ['tools/list', undefined, undefined, 'ok', undefined],
      ['tools/list', undefined, undefined, 'ok', undefined],
    ])
    const [, first] = lines
    expect(first).toEqual({
      level: 30,
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      session: expect.stringMatching(/^[0-9a-f]{16}$/),
      principal: 'anonymous',
      who: 'anonymous',
      client: 'raw/1',
      address: '127.0.0.1',
      era: 'legacy',
      protocolVersion: '2025-03-26',
      method: 'tools/call',
      target: 'a',
      name: 'a__echo',
      outcome: 'ok',
      durationMs: expect.any(Number),
      upstreamMs: expect.any(Number),
      bytesIn: expect.any(Number),
      bytesOut: expect.any(Number),
      attributes: { name: 'a__echo', city: 'Paris' },
      msg: 'request',
    })
    expect(Number(first?.['durationMs'])).toBeGreaterThanOrEqual(Number(first?.['upstreamMs']))
    expect(Number(first?.['upstreamMs'])).toBeGreaterThan(0)
    expect(lines.at(-1)).toMatchObject({ era: 'modern', protocolVersion: '2026-07-28' })
    expect(new Set(lines.slice(0, 9).map((it) => it['session'])).size).toBe(1)
    expect(JSON.stringify(gateway.log)).not.toContain('pl4nted')
    expect(JSON.stringify(gateway.log)).not.toContain(session.id)
  })

  it('says whose a trace is, and that a client gave up', async () => {
    let hold = (): void => undefined
    await using upstream = await startUpstream({
      tools: [{ name: 'slow', inputSchema: { type: 'object' } }],
      handlers: {
        'tools/call': () => new Promise((resolve) => (hold = () => resolve({ content: [] }))),
      },
    })
    await using gateway = await spawnGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const session = await openSession(gateway.url)
    const traceId = 'a'.repeat(32)
    const meta = { traceparent: `00-${traceId}-${'b'.repeat(16)}-01` }
    const stream = session.beginAs(7, 'tools/call', { name: 'a__slow', _meta: meta })
    await waitUntil(() => upstream.asked('tools/call').length === 1, 'the call to arrive')
    await session.notify('notifications/cancelled', { requestId: 7 })
    const lines = await requests(gateway, 2)
    expect(lines.at(-1)).toMatchObject({ outcome: 'cancelled', traceId, bytesOut: 0, target: 'a' })
    hold()
    await stream
  })

  it('holds no line that a name could break or make, and no long one', async () => {
    await using gateway = await spawnGateway({ targets: [] })
    const session = await openSession(gateway.url)
    await session.call('x"}\n{"level":60,"msg":"forged"}')
    await session.call('y'.repeat(100_000))
    await session.request(`m\r\n${'z'.repeat(100_000)}`)
    const lines = await requests(gateway, 4)
    expect(gateway.log.filter((it) => it['msg'] === 'forged')).toEqual([])
    expect(lines.every((it) => JSON.stringify(it).length < 1_500)).toBe(true)
  })

  it('can be switched off and on while the gateway runs, denials excepted', async () => {
    await using upstream = await startEcho()
    const config = (telemetry: JsonObject) => ({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
      authorization: { rules: [{ deny: 'mcp.tool.name == "echo"' }] },
      telemetry,
    })
    await using gateway = await spawnGateway(config({ accessLog: false, logLevel: 'error' }))
    const session = await openSession(gateway.url)
    await session.call('a__echo')
    const denied = () => gateway.log.filter((it) => it['msg'] === 'denied').length
    await waitUntil(() => denied() === 1, 'the denial')
    const applied = () => gateway.log.filter((it) => it['msg'] === 'configuration applied').length
    await gateway.reconfigure(config({ accessLog: true, logLevel: 'info' }))
    await waitUntil(() => applied() === 1, 'the change')
    await session.call('a__echo')
    const [only, ...others] = await requests(gateway, 1)
    expect(only).toMatchObject({ method: 'tools/call', outcome: 'denied' })
    expect(others).toEqual([])
  })

  it('is as talkative as the admin listener is told, at once and for those who have its token', async () => {
    await using upstream = await startEcho()
    const token = 'a-token-for-the-test'
    await using gateway = await spawnGateway({
      admin: { port: 0, token },
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
      authorization: { rules: [{ deny: 'mcp.tool.name == "echo"' }] },
    })
    const url = `${adminOf(gateway)}/api/v1/log-level`
    const headers = { authorization: `Bearer ${token}` }
    const put = (body: unknown, given: Record<string, string> = headers) =>
      send('PUT', url, JSON.stringify(body), given)
    expect((await put({ level: 'error' }, {})).status).toBe(401)
    expect((await put({ level: 'error' }, { ...headers, origin: 'http://evil.test' })).status).toBe(
      403,
    )
    for (const bad of [{ level: 'loud' }, {}, 7, { level: 'info', more: 1 }]) {
      expect((await put(bad)).status).toBe(400)
    }
    expect((await get(url, headers)).json).toEqual({ level: 'debug' })
    const session = await openSession(gateway.url)
    await requests(gateway, 1)
    expect((await put({ level: 'error' })).json).toEqual({ level: 'error' })
    expect((await get(url, headers)).json).toEqual({ level: 'error' })
    await session.request('tools/list')
    // Denials are told whatever the level.
    await session.call('a__echo')
    await waitUntil(() => gateway.log.some((it) => it['msg'] === 'denied'), 'the denial')
    await put({ level: 'info' })
    await session.request('ping')
    const lines = await requests(gateway, 2)
    expect(lines.map((it) => it['method'])).toEqual(['initialize', 'ping'])
    expect(await gateway.stop()).toBe(0)
    expect(gateway.log.at(-1)?.['msg']).toBe('stopping')
  })

  it('loses nothing when the gateway is stopped', async () => {
    await using gateway = await spawnGateway({ targets: [] })
    const session = await openSession(gateway.url)
    for (let index = 0; index < 500; index++) await session.request('ping')
    await gateway.stop()
    expect(requestsOf(gateway)).toHaveLength(501)
  })
})

it('which agent uses which tool is told by the admin listener', async () => {
  await using upstream = await startEcho()
  await using gateway = await spawnGateway({
    admin: { port: 0 },
    targets: [{ name: 'a', mcp: { url: upstream.url } }],
  })
  const session = await openSession(gateway.url)
  await session.call('a__echo')
  await session.call('a__echo')
  for (let index = 0; index < 300; index++) await session.call(`made-up-${index}`)
  const { json } = await get(`${adminOf(gateway)}/api/v1/agents`)
  expect(json).toMatchObject({
    agents: [
      {
        client: { name: 'raw', version: '1' },
        principal: { id: 'anonymous', kind: 'anonymous', name: 'anonymous' },
        address: '127.0.0.1',
        uses: [
          { method: 'tools/call', name: '_other', count: 300, failed: 300 },
          { method: 'tools/call', name: 'a__echo', target: 'a', count: 2, failed: 0 },
          { method: 'initialize', count: 1 },
        ],
      },
    ],
  })
})
