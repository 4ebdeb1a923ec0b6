/** Clients that do not read, on every kind of answer: what waits for them is bounded, and in the end they are cut off. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { startGateway } from '../support/gateway.js'
import { ModernClient, modernMessage } from '../support/modern-client.js'
import type { RawSession } from '../support/raw-client.js'
import { initializeRequest, openSession, post } from '../support/raw-client.js'
import { startHostile } from '../support/raw-http-server.js'
import { metricOf } from '../support/scrape.js'
import type { Upstream } from '../support/upstream-server.js'
import { startUpstream } from '../support/upstream-server.js'
import { waitUntil, waitUntilStill } from '../support/wait-until.js'

/** What the sockets of this machine take without anybody reading, and what the gateway holds, with room to spare. */
const MOST = 64 * 1024 * 1024
const LINE = 'x'.repeat(64 * 1024)
const FLOODS = fileURLToPath(new URL('../support/stdio-servers/floods.mjs', import.meta.url))

/** Sends a request, and reads nothing at all of what comes. */
async function deaf(method: string, url: string, headers: object, body?: object): Promise<Socket> {
  const { hostname, port, pathname, search } = new URL(url)
  const socket = connect(Number(port), hostname).pause()
  await once(socket, 'connect')
  const text = body === undefined ? '' : JSON.stringify(body)
  const head = {
    host: hostname,
    accept: method === 'GET' ? 'text/event-stream' : 'application/json, text/event-stream',
    'content-type': 'application/json',
    'content-length': String(Buffer.byteLength(text)),
    ...headers,
  }
  const given = Object.entries(head).filter(([, value]) => value !== undefined)
  const lines = given.map(([name, value]) => `${name}: ${value}`)
  socket.write(`${method} ${pathname}${search} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n${text}`)
  return socket
}

/** Reads what is left of a connection, to its end. Returns how much that was. */
async function rest(socket: Socket): Promise<number> {
  let bytes = 0
  socket.on('error', () => undefined).on('data', (chunk: Buffer) => (bytes += chunk.length))
  if (!socket.closed) await once(socket.resume(), 'close')
  return bytes
}

const call = (name: string, given: JsonObject = {}) => ({
  jsonrpc: '2.0',
  id: 77,
  method: 'tools/call',
  params: { name, arguments: given, _meta: { progressToken: 'p' } },
})

const uri = 'file:///a'
/** A server that logs to whoever has a session, and tells of changes of one resource. */
const startTalker = () =>
  startUpstream({
    tools: [{ name: 'echo', inputSchema: { type: 'object' } }],
    resources: [{ uri, name: 'a' }],
    capabilities: { logging: {}, resources: { subscribe: true } },
    handlers: {
      'tools/call': ({ arguments: given }) => ({
        content: [{ type: 'text', text: 'y'.repeat(Number((given as JsonObject)['chars'] ?? 1)) }],
      }),
      'logging/setLevel': () => ({}),
      'resources/subscribe': () => ({}),
      'resources/unsubscribe': () => ({}),
    },
  })

function gatewayTo({ url }: Upstream, listen: JsonObject = {}) {
  const targets = [{ name: 'a', mcp: { url } }]
  return startGateway({ targets, listen, admin: { port: 0 } })
}

/** Says more and more until nobody listens. */
async function flood(say: () => Promise<void>, gateway: Awaited<ReturnType<typeof gatewayTo>>) {
  const streams = () => metricOf(gateway, 'mcp_junction_streams')
  await waitUntil(async () => (await streams()) === 1, 'the stream to open')
  for (let said = 0; said < MOST && (await streams()) === 1; said += LINE.length)
    void say().catch(() => undefined)
  await waitUntil(async () => (await streams()) === 0, 'the stream to be cut off')
}

/** A client of HTTP+SSE that has opened a session, and reads nothing more. */
async function deafSse(url: string): Promise<{ readonly socket: Socket; readonly at: string }> {
  const socket = await deaf('GET', new URL('/sse', url).href, {})
  const [head] = (await once(socket.resume(), 'data')) as [Buffer]
  socket.pause()
  const at = new URL(/\/messages\S+/.exec(String(head))?.[0] ?? '', url).href
  await post(at, initializeRequest('2024-11-05'))
  await post(at, { jsonrpc: '2.0', method: 'notifications/initialized' })
  return { socket, at }
}

describe('whoever does not read', () => {
  it('a general stream is cut off; the session goes on', async () => {
    await using upstream = await startTalker()
    await using gateway = await gatewayTo(upstream)
    const session = await openSession(gateway.url)
    await session.request('resources/subscribe', { uri })
    const socket = await deaf('GET', gateway.url, session.headers)
    await flood(() => upstream.notifyUpdated(`${uri}#${LINE}`), gateway)
    expect(await rest(socket)).toBeLessThan(MOST)
    expect((await session.call('a__echo')).json['result']).toBeDefined()
  })

  it('a stream of subscriptions/listen is cut off, and what it followed is let go of', async () => {
    await using upstream = await startTalker()
    await using gateway = await gatewayTo(upstream)
    const { sessions } = upstream
    const notifications = { resourceSubscriptions: [uri] }
    const { body, headers } = modernMessage('subscriptions/listen', { notifications }, { id: 1 })
    const socket = await deaf('POST', gateway.url, headers, body)
    await flood(() => upstream.notifyUpdated(`${uri}#${LINE}`), gateway)
    expect(await rest(socket)).toBeLessThan(MOST)
    await waitUntil(() => upstream.sessions === sessions, 'its session to end')
  })

  it('a stream of HTTP+SSE is cut off', async () => {
    await using upstream = await startTalker()
    await using gateway = await gatewayTo(upstream, { legacySse: true })
    const { socket, at } = await deafSse(gateway.url)
    await post(at, { jsonrpc: '2.0', id: 1, method: 'resources/subscribe', params: { uri } })
    await waitUntil(() => upstream.asked('resources/subscribe').length === 1, 'the subscription')
    await flood(() => upstream.notifyUpdated(`${uri}#${LINE}`), gateway)
    expect(await rest(socket)).toBeLessThan(MOST)
  })
})

/** Whoever was answered by the only request there may be is gone. */
const isFree = (session: RawSession) =>
  waitUntil(async () => (await session.request('ping')).status === 200, 'the reader to go', 100_000)

describe('a child process that says more than is read', () => {
  const world = () =>
    startGateway({
      targets: [{ name: 'a', stdio: { command: process.execPath, args: [FLOODS] } }],
      listen: { overload: { maxRequests: 1 } },
    })
  const lines = MOST / LINE.length

  it('has the reader of a call cut off, who finds the answer when it comes back', async () => {
    await using gateway = await world()
    const session = await openSession(gateway.url)
    const running = await session.begin('tools/call', call('a__flood', { lines }).params)
    running.pause()
    await waitUntilStill(() => running.messages.length)
    await isFree(session)
    running.resume()
    await running.ended
    const resumed = await session.listen(running.ids.at(-1))
    await resumed.ended
    expect(resumed.messages.at(-1)).toMatchObject({
      result: { content: [{ text: String(lines) }] },
    })
  })

  it('has the call of a newer client given up with it', async () => {
    await using gateway = await world()
    const session = await openSession(gateway.url)
    const { body, headers } = modernMessage('tools/call', call('a__flood', { lines }).params, {
      id: 1,
      meta: { progressToken: 'p' },
    })
    const socket = await deaf('POST', gateway.url, headers, body)
    await once(socket, 'readable')
    await isFree(session)
    expect(await rest(socket)).toBeLessThan(MOST)
  })
})

it('a server that streams an answer is held up by a newer client that does not read it', async () => {
  let written = 0
  let isStuck = false
  await using server = await startHostile(({ id, params }, response) => {
    const { progressToken } = (params as JsonObject)['_meta'] as JsonObject
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const more = (): void => {
      while (written < MOST) {
        written += LINE.length
        const told = { progressToken, progress: written, message: LINE } as JsonObject
        const message = { jsonrpc: '2.0', method: 'notifications/progress', params: told }
        if (response.write(`data: ${JSON.stringify(message)}\n\n`)) continue
        isStuck = response.writableNeedDrain
        return void response.once('drain', more)
      }
      response.end(
        `data: ${JSON.stringify({ jsonrpc: '2.0', id: id ?? null, result: { content: [] } })}\n\n`,
      )
    }
    more()
  })
  await using gateway = await startGateway({ targets: [{ name: 'a', mcp: { url: server.url } }] })
  const { params } = call('a__bad')
  const meta = { progressToken: 'p' }
  const running = await new ModernClient(gateway.url).begin('tools/call', params, { meta })
  running.pause()
  await waitUntilStill(() => written)
  expect(isStuck).toBe(true)
  expect(written).toBeLessThan(MOST)
  running.resume()
  await running.ended
  expect(running.messages.at(-1)).toMatchObject({ result: { content: [] } })
  expect(running.messages).toHaveLength(MOST / LINE.length + 1)
})

it.concurrent.each(['legacy', 'modern'] as const)(
  'whoever takes nothing of a large answer for a while is cut off (%s)',
  { timeout: 120_000 },
  async (era) => {
    await using upstream = await startTalker()
    await using gateway = await gatewayTo(upstream, { overload: { maxRequests: 1 } })
    const session = await openSession(gateway.url)
    const answer = call('a__echo', { chars: 30_000_000 })
    const { body, headers } =
      era === 'legacy'
        ? { body: answer, headers: session.headers }
        : modernMessage('tools/call', answer.params, { id: 1 })
    const socket = await deaf('POST', gateway.url, headers, body)
    await once(socket, 'readable')
    expect((await session.request('ping')).status).toBe(503)
    await isFree(session)
    expect(await rest(socket)).toBeLessThan(30_000_000)
  },
)

it.concurrent(
  'whoever takes no answers on a stream of HTTP+SSE is asked for no more, and then cut off',
  { timeout: 120_000 },
  async () => {
    await using upstream = await startTalker()
    await using gateway = await gatewayTo(upstream, { legacySse: true })
    const { socket, at } = await deafSse(gateway.url)
    const asked = Array.from({ length: 50 }, async () => {
      const { status } = await post(at, call('a__echo', { chars: 1_000_000 }))
      return status
    })
    await waitUntilStill(() => upstream.asked('tools/call').length)
    expect(upstream.asked('tools/call').length).toBeLessThan(50)
    const streams = () => metricOf(gateway, 'mcp_junction_streams')
    await waitUntil(async () => (await streams()) === 0, 'the stream to be cut off', 100_000)
    // The session has ended with its stream.
    expect(await Promise.all(asked)).toContain(404)
    expect(await rest(socket)).toBeLessThan(MOST)
  },
)
