/** What the gateway shows to servers, and what it keeps to itself. */
import { describe, expect, it } from 'vitest'
import { spawnGateway, startGateway } from '../support/gateway.js'
import { startModern } from '../support/modern-upstream.js'
import { get, openSession, post } from '../support/raw-client.js'
import { startRawHttp } from '../support/raw-http-server.js'
import { SseServer } from '../support/sse-server.js'
import { startEcho } from '../support/upstream-server.js'

const SECRET = 'pl4nted-s3cret'
const SHOWN = { auth: { bearer: SECRET }, headers: { set: { 'X-Team': 'tools' } } }
const OURS = { authorization: `Bearer ${SECRET}`, 'x-team': 'tools' }

describe('a server', () => {
  it('is shown its credentials and headers with every request, and nothing of a client’s', async () => {
    await using legacy = await startEcho()
    await using modern = await startModern({ tools: [{ name: 't', inputSchema: {} }] })
    await using gateway = await startGateway({
      targets: [
        { name: 'a', mcp: { url: legacy.url }, ...SHOWN },
        { name: 'b', mcp: { url: modern.url }, ...SHOWN },
      ],
    })
    const session = await openSession(gateway.url)
    const theirs = {
      'mcp-session-id': session.id,
      authorization: 'Bearer of-the-client',
      cookie: 'a=b',
      'proxy-authorization': 'Basic x',
      'x-secret': 'of-the-client',
      'x-team': 'of-the-client',
    }
    for (const name of ['a__echo', 'b__t']) {
      const call = { jsonrpc: '2.0', id: name, method: 'tools/call', params: { name } }
      expect((await post(gateway.url, call, theirs)).status).toBe(200)
    }
    const received = [...legacy.headers, ...modern.sent.map((it) => it.headers)]
    expect(received.length).toBeGreaterThan(6)
    for (const headers of received) {
      expect(headers).toMatchObject(OURS)
      expect(JSON.stringify(headers)).not.toMatch(/of-the-client|a=b|Basic x/)
    }
  })

  it('gets of a client’s headers those that it is to get, with that client’s calls alone', async () => {
    await using legacy = await startEcho()
    await using modern = await startModern({
      tools: [{ name: 't', inputSchema: {} }],
      handlers: { 'tools/call': () => ({ content: [] }) },
    })
    await using old = await SseServer.start(() => ({ content: [] }))
    const headers = { forward: ['X-Request-Id', 'x-team'], set: { 'x-team': 'ours' } }
    await using gateway = await startGateway({
      targets: [
        { name: 'a', mcp: { url: legacy.url }, headers },
        { name: 'b', mcp: { url: modern.url }, headers },
        { name: 'c', sse: { url: old.url }, headers },
      ],
    })
    const theirs = { 'x-request-id': 'r-1', 'x-team': 'theirs', 'x-other': 'o' }
    const session = await openSession(gateway.url, undefined, {}, theirs)
    for (const tool of ['a__echo', 'b__t', 'c__tool']) {
      expect((await session.call(tool)).json).toHaveProperty('result')
    }
    const all = [...legacy.headers, ...modern.sent.map((it) => it.headers), ...old.headers]
    expect(all.filter((it) => it['x-request-id'] === 'r-1')).toHaveLength(3)
    for (const it of all) expect([it['x-team'], it['x-other']]).toEqual(['ours', undefined])
  })

  it('of HTTP+SSE and of an mcpServers map is shown them too', async () => {
    await using old = await SseServer.start(() => ({ content: [] }))
    await using mapped = await startEcho()
    await using gateway = await startGateway({
      targets: [{ name: 'a', sse: { url: old.url }, ...SHOWN }],
      mcpServers: { b: { url: mapped.url, headers: { Authorization: `Bearer ${SECRET}` } } },
    })
    await (await openSession(gateway.url)).call('b__echo')
    expect(old.headers.length).toBeGreaterThan(1)
    for (const headers of old.headers) expect(headers).toMatchObject(OURS)
    for (const headers of mapped.headers) {
      expect(headers.authorization).toBe(`Bearer ${SECRET}`)
    }
  })

  it('that refuses them is named with the reason; its own words and the credentials stay here', async () => {
    await using server = await startRawHttp((_message, response, request) => {
      response.writeHead(401, { 'www-authenticate': 'Bearer realm="internal-realm"' })
      response.end(`no: ${request.headers.authorization}`)
    })
    await using gateway = await spawnGateway({
      admin: { port: 0 },
      targets: [{ name: 'a', mcp: { url: server.url }, ...SHOWN }],
    })
    const session = await openSession(gateway.url)
    const list = await session.request('tools/list')
    expect(list.text).toMatch(/"target":"a","reason":"[^"]*401/)
    const { url } = gateway.log.find((it) => it['msg'] === 'admin listener') ?? {}
    const shown = await Promise.all([
      get(`${String(url)}/api/v1/targets`),
      get(`${String(url)}/metrics`),
      get(`${new URL(gateway.url).origin}/readyz`),
    ])
    const everything = JSON.stringify([list.text, gateway.log, shown.map((it) => it.text)])
    expect(everything).not.toContain(SECRET)
    expect(everything).not.toContain('internal-realm')
  })
})
