import { describe, expect, it } from 'vitest'
import type { RunningGateway } from '../support/gateway.js'
import { startGateway } from '../support/gateway.js'
import { initializeRequest, openSession, post, send } from '../support/raw-client.js'
import { startEcho } from '../support/upstream-server.js'

const ping = { jsonrpc: '2.0', id: 1, method: 'ping' }

async function startAll(): Promise<RunningGateway> {
  const upstream = await startEcho()
  const gateway = await startGateway({
    targets: [{ name: 'a', mcp: { url: upstream.url } }],
    listen: { maxBodyBytes: 2048 },
  })
  return {
    ...gateway,
    [Symbol.asyncDispose]: async () => {
      await gateway.close()
      await upstream[Symbol.asyncDispose]()
    },
  }
}

describe('the endpoint over HTTP', () => {
  it.each([
    ['{"jsonrpc":"2.0",', -32700],
    ['<html>', -32700],
    ['', -32700],
    ['"text"', -32600],
    ['{"id":1,"method":"ping"}', -32600],
    ['{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600],
    ['{"jsonrpc":"2.0","id":1,"method":"ping","params":{},"params":{}}', -32600],
    [
      `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":${'['.repeat(500)}${']'.repeat(500)}}}`,
      -32600,
    ],
  ])('answers the body %s with 400 and %i', async (body, code) => {
    await using gateway = await startAll()
    const answer = await post(gateway.url, body)
    expect(answer.status).toBe(400)
    expect(answer.json).toMatchObject({ jsonrpc: '2.0', error: { code } })
  })

  it('echoes the id of what it refuses wherever it could be read [R40]', async () => {
    await using gateway = await startAll()
    const noSession = await post(gateway.url, { jsonrpc: '2.0', id: 'abc', method: 'tools/list' })
    expect(noSession.json['id']).toBe('abc')
    const session = await openSession(gateway.url)
    for (const id of [7, '7', 0, -1, '']) {
      const { json } = await post(
        session.url,
        { jsonrpc: '2.0', id, method: 'ping' },
        session.headers,
      )
      expect(json).toEqual({ jsonrpc: '2.0', id, result: {} })
    }
    const unreadable = await post(gateway.url, '{')
    expect(unreadable.json['id']).toBeNull()
  })

  it('answers a body over the limit with 413, announced or not, and lives on', async () => {
    await using gateway = await startAll()
    const large = JSON.stringify({ ...ping, params: { filler: 'x'.repeat(3000) } })
    expect((await post(gateway.url, large)).status).toBe(413)
    const chunked = { 'transfer-encoding': 'chunked' }
    expect((await post(gateway.url, large, chunked)).status).toBe(413)
    expect((await openSession(gateway.url)).id).not.toBe('')
  })

  it.each([
    [415, { 'content-type': 'text/plain' }],
    [415, { 'content-type': undefined }],
    [415, { 'content-encoding': 'gzip' }],
    [406, { accept: 'application/json' }],
    [406, { accept: 'text/event-stream' }],
    [406, { accept: 'text/html' }],
  ])('answers %i to the headers %o', async (status, headers) => {
    await using gateway = await startAll()
    const answer = await post(gateway.url, ping, headers)
    expect(answer.status).toBe(status)
    expect(answer.json).toMatchObject({ error: { code: -32600 } })
  })

  it.each([
    { 'content-type': 'application/json; charset=utf-8' },
    { 'content-type': 'Application/JSON' },
    { accept: '*/*' },
    { accept: undefined },
    { accept: 'text/event-stream;q=0.5, application/json' },
  ])('takes the headers %o', async (headers) => {
    await using gateway = await startAll()
    expect((await post(gateway.url, initializeRequest(), headers)).status).toBe(200)
  })

  it('answers methods it does not know with 405 and those it does', async () => {
    await using gateway = await startAll()
    for (const method of ['PUT', 'PATCH', 'OPTIONS']) {
      const answer = await send(method, gateway.url, undefined)
      expect(answer.status).toBe(405)
      expect(answer.headers.allow).toBe('POST, GET, DELETE')
    }
  })

  it('wants a session on everything but initialize: 400 without, 404 for one it does not know [R50][R49]', async () => {
    await using gateway = await startAll()
    const session = await openSession(gateway.url)
    const { id: own } = session
    const changed = `${own.slice(0, -2)}${own.endsWith('AA') ? 'BB' : 'AA'}`
    const changedBefore = `${own.slice(0, 20)}${own[20] === 'A' ? 'B' : 'A'}${own.slice(21)}`
    const accept = 'text/event-stream'
    for (const [id, status] of [
      [undefined, 400],
      ['unknown', 404],
      [changed, 404],
      [changedBefore, 404],
      // Its end alone.
      [own.slice(-32), 404],
    ] as const) {
      const headers = { 'mcp-session-id': id }
      expect((await post(gateway.url, ping, headers)).status).toBe(status)
      expect((await send('GET', gateway.url, undefined, { ...headers, accept })).status).toBe(
        status,
      )
      expect((await send('DELETE', gateway.url, undefined, headers)).status).toBe(status)
    }
  })

  it('gives every session an id of visible ASCII, none like another [R49]', async () => {
    await using gateway = await startAll()
    const sessions = await Promise.all(Array.from({ length: 20 }, () => openSession(gateway.url)))
    expect(new Set(sessions.map((it) => it.id)).size).toBe(20)
    for (const { id } of sessions) expect(id).toMatch(/^[\x21-\x7e]{40,2000}$/)
  })

  it('ends a session on DELETE, and does not know it after [R49][R56]', async () => {
    await using gateway = await startAll()
    const session = await openSession(gateway.url)
    const stream = await session.listen()
    expect((await session.delete()).status).toBe(204)
    await stream.ended
    expect((await session.request('ping')).status).toBe(404)
    expect((await session.delete()).status).toBe(404)
  })

  it('answers GET with a stream, or says why not [R52]', async () => {
    await using gateway = await startAll()
    const session = await openSession(gateway.url)
    const stream = await session.listen()
    expect(stream.status).toBe(200)
    stream.close()
    const json = { ...session.headers, accept: 'application/json' }
    expect((await send('GET', session.url, undefined, json)).status).toBe(406)
  })

  it('refuses versions it does not serve in the header, and takes none for the session’s own [R51]', async () => {
    await using gateway = await startAll()
    const session = await openSession(gateway.url)
    const withVersion = (version: string | undefined) =>
      post(session.url, ping, { ...session.headers, 'mcp-protocol-version': version })
    for (const bad of ['1999-01-01', '2026-07-28', 'x']) {
      expect((await withVersion(bad)).status).toBe(400)
    }
    for (const good of [undefined, '2025-03-26', '2025-06-18', '2025-11-25']) {
      expect((await withVersion(good)).status).toBe(200)
    }
  })

  it.each([
    ['2025-11-25', '2025-11-25'],
    ['2025-06-18', '2025-06-18'],
    ['2025-03-26', '2025-03-26'],
    ['2024-11-05', '2025-11-25'],
    ['2026-07-28', '2025-11-25'],
    ['2099-01-01', '2025-11-25'],
  ])('answers initialize asking for %s with %s [R48]', async (asked, given) => {
    await using gateway = await startAll()
    const session = await openSession(gateway.url, asked)
    expect(session.initialized['protocolVersion']).toBe(given)
  })

  it('refuses an initialize that says too little or too much', async () => {
    await using gateway = await startAll()
    const { params, ...rest } = initializeRequest()
    for (const bad of [{}, { ...params, capabilities: 1 }, { ...params, protocolVersion: 7 }]) {
      const { json } = await post(gateway.url, { ...rest, params: bad })
      expect(json).toMatchObject({ id: 0, error: { code: -32602 } })
    }
    await using roomy = await startGateway({ targets: [] })
    const capabilities = { experimental: { filler: 'x'.repeat(5_000) } }
    const { json } = await post(roomy.url, { ...rest, params: { ...params, capabilities } })
    expect(json).toMatchObject({ error: { code: -32602, message: /too large/ } })
  })

  it('takes batches in sessions of 2025-03-26 and in no others [R58]', async () => {
    await using gateway = await startAll()
    const old = await openSession(gateway.url, '2025-03-26')
    const batch = [
      { jsonrpc: '2.0', id: 1, method: 'ping' },
      { jsonrpc: '2.0', method: 'notifications/initialized' },
      7,
      {
        jsonrpc: '2.0',
        id: 'call',
        method: 'tools/call',
        params: { name: 'a__echo', arguments: 5 },
      },
      { jsonrpc: '2.0', id: 3, method: 'nope' },
    ]
    const { status, text } = await post(old.url, batch, old.headers)
    expect(status).toBe(200)
    const answers = JSON.parse(text) as { id: unknown; error?: { code: number } }[]
    expect(new Set(answers.map((it) => it.id))).toEqual(new Set([1, null, 'call', 3]))
    expect(answers.find((it) => it.id === null)?.error?.code).toBe(-32600)
    expect((await post(old.url, [batch[1]], old.headers)).status).toBe(202)
    expect((await post(old.url, [], old.headers)).status).toBe(400)

    for (const version of ['2025-06-18', '2025-11-25']) {
      const session = await openSession(gateway.url, version)
      expect((await post(session.url, batch, session.headers)).status).toBe(400)
    }
  })

  it('takes notifications and answers with 202 and no body [R16]', async () => {
    await using gateway = await startAll()
    const session = await openSession(gateway.url)
    for (const body of [
      { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 99 } },
      { jsonrpc: '2.0', method: 'notifications/unheard-of' },
      { jsonrpc: '2.0', id: 5, result: {} },
      { jsonrpc: '2.0', id: 5, error: { code: -1, message: 'no' } },
    ]) {
      const answer = await post(session.url, body, session.headers)
      expect([answer.status, answer.text]).toEqual([202, ''])
    }
  })

  it('answers ping at once and unknown methods with -32601 in band [R61]', async () => {
    await using gateway = await startAll()
    const session = await openSession(gateway.url)
    expect((await session.request('ping')).json).toMatchObject({ result: {} })
    for (const method of ['nope', 'prompts/list', 'tasks/get', 'toString', '__proto__']) {
      const { status, json } = await session.request(method)
      expect(status).toBe(200)
      expect(json).toMatchObject({ error: { code: -32601 } })
    }
  })

  it('knows no cursor, as it never gives one [R41]', async () => {
    await using gateway = await startAll()
    const session = await openSession(gateway.url)
    for (const cursor of ['', 'x']) {
      const { json } = await session.request('tools/list', { cursor })
      expect(json).toMatchObject({ error: { code: -32602 } })
    }
  })

  it('knows no server at other paths', async () => {
    await using gateway = await startAll()
    const base = new URL(gateway.url).origin
    for (const path of ['/mcp/nope', '/mcp/a/b', '/', '/mcpx', '/mcp/__proto__']) {
      expect((await post(`${base}${path}`, ping)).status).toBe(404)
    }
  })
})

describe('headers', () => {
  const many = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`x-${index}`, 'v']))

  it('are refused with 431 where they are too many or too large, and only then', async () => {
    await using gateway = await startAll()
    expect((await post(gateway.url, initializeRequest(), many(150))).status).toBe(200)
    const tooMany = await post(gateway.url, initializeRequest(), many(300))
    expect(tooMany.status).toBe(431)
    expect(tooMany.json).toMatchObject({ error: { code: -32600 } })
    const large = await send('GET', gateway.url, undefined, { 'x-large': 'v'.repeat(20_000) })
    expect(large.status).toBe(431)
  })
})

describe('Host and Origin', () => {
  const host = (name: string) => ({ host: name })

  it('are refused where a page of somebody else’s could have sent them [R19]', async () => {
    await using gateway = await startAll()
    for (const headers of [
      host('evil.example'),
      host('127.0.0.1.evil.example'),
      { origin: 'https://evil.example' },
      { origin: 'null' },
      { origin: 'http://localhost.evil.example' },
    ]) {
      const answer = await post(gateway.url, initializeRequest(), headers)
      expect(answer.status).toBe(403)
      expect(answer.json).toMatchObject({ error: { code: -32600 } })
    }
  })

  it('are taken from this machine, with any port', async () => {
    await using gateway = await startAll()
    for (const headers of [
      host('localhost:1234'),
      host('[::1]:80'),
      { origin: 'http://localhost:6274' },
      { origin: 'http://127.0.0.1:5173' },
    ]) {
      expect((await post(gateway.url, initializeRequest(), headers)).status).toBe(200)
    }
  })

  it('are taken as configured, and pages of allowed origins may read the answer', async () => {
    await using upstream = await startEcho()
    await using gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
      listen: { allowedHosts: ['mcp.example.com'], allowedOrigins: ['https://app.example.com'] },
    })
    const headers = { host: 'mcp.example.com', origin: 'https://app.example.com' }
    const answer = await post(gateway.url, initializeRequest(), headers)
    expect(answer.status).toBe(200)
    expect(answer.headers['access-control-allow-origin']).toBe('https://app.example.com')
    expect(answer.headers['access-control-expose-headers']).toContain('Mcp-Session-Id')
    const preflight = await send('OPTIONS', gateway.url, undefined, headers)
    expect(preflight.status).toBe(204)
    expect(preflight.headers['access-control-allow-headers']).toContain('Mcp-Session-Id')
    const asking = { 'access-control-request-headers': 'x-api-key, mcp-param-region, x-evil' }
    const asked = await send('OPTIONS', gateway.url, undefined, { ...headers, ...asking })
    const names = String(asked.headers['access-control-allow-headers']).toLowerCase().split(', ')
    expect(names).toEqual(expect.arrayContaining(['x-api-key', 'mcp-param-region']))
    expect(names).not.toContain('x-evil')
    const other = await send('OPTIONS', gateway.url, undefined, { origin: 'https://evil.example' })
    expect(other.status).toBe(403)
    expect(other.headers['access-control-allow-origin']).toBeUndefined()
  })
})
