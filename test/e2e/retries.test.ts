import { EventEmitter, once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { startGateway } from '../support/gateway.js'
import { ModernClient } from '../support/modern-client.js'
import { ModernError, startModern } from '../support/modern-upstream.js'
import type { RawSession } from '../support/raw-client.js'
import { openSession } from '../support/raw-client.js'
import { answerJson, startRawHttp } from '../support/raw-http-server.js'
import { metricOf } from '../support/scrape.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const schema = { type: 'object' } as const
const TOOLS = [
  { name: 'plain', inputSchema: schema },
  { name: 'reads', inputSchema: schema, annotations: { readOnlyHint: true } },
  { name: 'idempotent', inputSchema: schema, annotations: { idempotentHint: true } },
]
const RESULTS: Readonly<Record<string, JsonObject>> = {
  initialize: {
    protocolVersion: '2025-11-25',
    capabilities: { tools: {}, resources: {}, prompts: {} },
    serverInfo: { name: 'flaky', version: '1' },
  },
  'tools/list': { tools: TOOLS },
  'resources/list': { resources: [{ uri: 'flaky://it', name: 'it' }] },
  'resources/templates/list': { resourceTemplates: [] },
  'prompts/list': { prompts: [{ name: 'p' }] },
  'resources/read': { contents: [] },
  'prompts/get': { messages: [] },
  'tools/call': { content: [] },
  ping: {},
}
const RETRIES = 'mcp_junction_retries_total{target="a"}'

type Fault = (response: ServerResponse) => undefined

const answers =
  (status: number, headers: Record<string, string> = {}): Fault =>
  (response) => {
    response.writeHead(status, headers).end()
    return undefined
  }
const resets: Fault = (response) => {
  response.socket?.resetAndDestroy()
  return undefined
}
const resetsInMidAnswer: Fault = (response) => {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1000 })
  response.write('{"jsonrpc"', () => response.socket?.resetAndDestroy())
  return undefined
}
const resetsInMidStream: Fault = (response) => {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(': hello\n\ndata: {"json', () => response.socket?.resetAndDestroy())
  return undefined
}
const dripsAndResets: Fault = (response) => {
  response.writeHead(200, { 'content-type': 'application/json' })
  const drips = '{"jsonrpc":"2.0","id":'.split('')
  const drip = (): void => {
    const next = drips.shift()
    if (next === undefined) response.socket?.resetAndDestroy()
    else response.write(next, () => setImmediate(drip))
  }
  drip()
  return undefined
}

/** A server of the 2025 era that, asked one thing, answers by `fault` so many times once it has answered well so often. */
async function startFlaky(method: string, fault: Fault, times = Infinity, after = 0) {
  const asked: number[] = []
  const server = await startRawHttp((message, response, request) => {
    if (request.method !== 'POST') return void response.writeHead(405).end()
    if (message['id'] === undefined) return void response.writeHead(202).end()
    if (message['method'] === method) {
      asked.push(performance.now())
      if (asked.length > after && asked.length <= after + times) return fault(response)
    }
    const result = RESULTS[String(message['method'])]
    if (result === undefined) return void response.writeHead(400).end()
    if (message['method'] === 'initialize') response.setHeader('mcp-session-id', 'flaky')
    answerJson(response, message, result)
  })
  return { ...server, asked }
}

function gatewayTo(url: string, options: JsonObject = {}) {
  const retries = { backoff: '5ms', ...(options['retries'] as JsonObject) }
  return startGateway({
    admin: { port: 0 },
    targets: [{ name: 'a', mcp: { url }, ...options, retries }],
  })
}

const REQUESTS: Readonly<Record<string, (session: RawSession, name?: string) => Promise<unknown>>> =
  {
    'tools/call': async (session, name = 'plain') => (await session.call(`a__${name}`)).json,
    'resources/read': async (session) =>
      (await session.request('resources/read', { uri: 'flaky://it' })).json,
    'prompts/get': async (session) => (await session.request('prompts/get', { name: 'a__p' })).json,
  }

const FAULTS: readonly (readonly [string, Fault, reason: string])[] = [
  ['a reset without a word', resets, 'unreachable'],
  ['a reset in mid-answer', resetsInMidAnswer, 'unreachable'],
  ['a reset in mid-stream', resetsInMidStream, 'unreachable'],
  ['a reset after a slow drip', dripsAndResets, 'unreachable'],
  ['HTTP 429', answers(429), 'protocol'],
  ['HTTP 502', answers(502), 'protocol'],
  ['HTTP 503', answers(503), 'protocol'],
  ['HTTP 504', answers(504), 'protocol'],
]

describe('a call that may have run', () => {
  it.each(FAULTS)('is not repeated after %s', async (_, fault, reason) => {
    await using server = await startFlaky('tools/call', fault)
    await using gateway = await gatewayTo(server.url)
    const session = await openSession(gateway.url)
    for (const name of ['plain', 'reads', 'idempotent']) {
      const json = await REQUESTS['tools/call']?.(session, name)
      expect(json).toMatchObject({ error: { code: -32603, data: { target: 'a', reason } } })
    }
    expect(server.asked).toHaveLength(3)
    expect(await metricOf(gateway, RETRIES)).toBe(0)
  })

  it.each(FAULTS)('is not repeated after %s of a server of 2026-07-28', async (_, fault) => {
    await using server = await startModern({
      tools: TOOLS,
      handlers: { 'tools/call': (__, response) => fault(response) },
    })
    await using gateway = await gatewayTo(server.url)
    for (const name of ['plain', 'reads', 'idempotent']) {
      const { json } = await new ModernClient(gateway.url).call(`a__${name}`)
      expect(json).toMatchObject({ error: { code: -32603, data: { target: 'a' } } })
    }
    // From a client of the other era it takes another way through the gateway.
    await (await openSession(gateway.url)).call('a__plain')
    expect(server.asked('tools/call')).toHaveLength(4)
  })

  it('is not repeated when its session breaks beside it', async () => {
    let isOver = false
    const calls = new EventEmitter()
    await using server = await startRawHttp((message, response, request) => {
      if (request.method === 'GET') {
        // The stream of the session ends; it is gone when it is asked for again.
        if (isOver) return void response.writeHead(404).end()
        response.writeHead(200, { 'content-type': 'text/event-stream' }).write(': hello\n\n')
        return void once(calls, 'call').then(() => {
          isOver = true
          response.end()
        })
      }
      if (message['method'] === 'tools/call') return void calls.emit('call')
      const result = RESULTS[String(message['method'])]
      if (message['id'] === undefined || result === undefined) {
        return void response.writeHead(message['id'] === undefined ? 202 : 400).end()
      }
      if (message['method'] === 'initialize') response.setHeader('mcp-session-id', 's')
      answerJson(response, message, result)
    })
    await using gateway = await gatewayTo(server.url, { timeouts: { call: '20s' } })
    const session = await openSession(gateway.url, undefined, { elicitation: {} })
    expect(await REQUESTS['tools/call']?.(session)).toMatchObject({ error: { code: -32603 } })
    const sent = server.bodies.filter((it) => it.includes('"tools/call"'))
    expect(sent).toHaveLength(1)
  })

  it('is not repeated when its stream cannot be come back to', async () => {
    const broken: Fault = (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('id: 1\nretry: 5\ndata: \n\n', () => {
        // From now on connections are refused: what is asked for then is provably not sent.
        response.socket?.resetAndDestroy()
        void server[Symbol.asyncDispose]()
      })
      return undefined
    }
    const server = await startFlaky('tools/call', broken)
    await using gateway = await gatewayTo(server.url)
    const session = await openSession(gateway.url)
    expect(await REQUESTS['tools/call']?.(session)).toMatchObject({
      error: { code: -32603, data: { target: 'a', reason: 'unreachable' } },
    })
    expect(server.asked).toHaveLength(1)
    expect(await metricOf(gateway, RETRIES)).toBe(0)
  })
})

describe('a request that changes nothing', () => {
  it.each(FAULTS)('is repeated after %s', async (_, fault) => {
    for (const method of ['resources/read', 'prompts/get']) {
      await using server = await startFlaky(method, fault, 2)
      await using gateway = await gatewayTo(server.url)
      const session = await openSession(gateway.url)
      expect(await REQUESTS[method]?.(session)).toMatchObject({ result: {} })
      expect(server.asked).toHaveLength(3)
      expect(await metricOf(gateway, RETRIES)).toBe(2)
    }
  })

  it('is repeated towards a server of 2026-07-28', async () => {
    let left = 2
    await using server = await startModern({
      resources: [{ uri: 'flaky://it', name: 'it' }],
      handlers: {
        'resources/read': (_, response) => {
          if (left === 0) return { contents: [], ttlMs: 0, cacheScope: 'private' }
          left--
          resetsInMidAnswer(response)
          return undefined
        },
      },
    })
    await using gateway = await gatewayTo(server.url)
    const read = { uri: 'flaky://it' }
    const { json } = await new ModernClient(gateway.url).request('resources/read', read)
    expect(json).toMatchObject({ result: { contents: [] } })
    expect(server.asked('resources/read')).toHaveLength(3)
  })

  it('is not repeated where the server answers, whatever it answers', async () => {
    await using server = await startModern({
      resources: [{ uri: 'flaky://it', name: 'it' }],
      handlers: {
        'resources/read': () => {
          throw new ModernError(-32603, 503)
        },
      },
    })
    await using gateway = await gatewayTo(server.url)
    const read = { uri: 'flaky://it' }
    const { json } = await new ModernClient(gateway.url).request('resources/read', read)
    expect(json).toMatchObject({ error: { code: -32603, message: 'error -32603' } })
    expect(server.asked('resources/read')).toHaveLength(1)
  })

  it('is repeated also where it is a list', async () => {
    await using server = await startFlaky('tools/list', answers(503), 1)
    await using gateway = await gatewayTo(server.url)
    const session = await openSession(gateway.url)
    expect(await REQUESTS['tools/call']?.(session)).toMatchObject({ result: {} })
    expect(await metricOf(gateway, RETRIES)).toBe(1)
  })

  it('is repeated also where it opens the session of a call', async () => {
    // The first is that of the gateway's own.
    await using server = await startFlaky('initialize', answers(503), 1, 1)
    await using gateway = await gatewayTo(server.url)
    const session = await openSession(gateway.url)
    expect(await REQUESTS['tools/call']?.(session)).toMatchObject({ result: {} })
    expect(server.asked).toHaveLength(3)
  })

  it('is repeated no sooner than the server wants it, and not at all where that is too late', async () => {
    await using server = await startFlaky('resources/read', answers(429, { 'retry-after': '1' }), 1)
    await using gateway = await gatewayTo(server.url)
    const session = await openSession(gateway.url)
    expect(await REQUESTS['resources/read']?.(session)).toMatchObject({ result: {} })
    const [first = 0, second = 0] = server.asked
    expect(second - first).toBeGreaterThan(990)

    const busy = answers(503, { 'retry-after': '3600' })
    await using busier = await startFlaky('resources/read', busy)
    await using other = await gatewayTo(busier.url)
    expect(await REQUESTS['resources/read']?.(await openSession(other.url))).toMatchObject({
      error: { data: { target: 'a', reason: 'protocol', retryAfterMs: 3_600_000 } },
    })
    expect(busier.asked).toHaveLength(1)
  })

  it('is repeated within its deadline only', async () => {
    await using server = await startFlaky('resources/read', answers(503))
    await using gateway = await gatewayTo(server.url, {
      timeouts: { call: '400ms' },
      retries: { attempts: 10, backoff: '100ms' },
    })
    const session = await openSession(gateway.url)
    const startedAt = performance.now()
    expect(await REQUESTS['resources/read']?.(session)).toMatchObject({ error: { code: -32603 } })
    // Ten of them would have taken fifty seconds.
    expect(performance.now() - startedAt).toBeLessThan(1_000)
    expect(server.asked.length).toBeGreaterThan(1)
  })

  it('is no longer repeated when its caller has gone', async () => {
    await using server = await startFlaky('resources/read', answers(503))
    await using gateway = await gatewayTo(server.url, {
      timeouts: { call: '1h' },
      retries: { backoff: '40s' },
    })
    const client = new ModernClient(gateway.url)
    const gone = new AbortController()
    const read = client.request('resources/read', { uri: 'flaky://it' }, { signal: gone.signal })
    await waitUntil(() => server.asked.length === 1, 'the first attempt')
    await waitUntil(async () => (await metricOf(gateway, RETRIES)) === 1, 'the wait for the next')
    gone.abort()
    await expect(read).rejects.toThrow('aborted')
    // A gateway waits ten seconds for what is running before it closes; for this one it need not.
    const startedAt = performance.now()
    await gateway.close()
    expect(performance.now() - startedAt).toBeLessThan(5_000)
    expect(server.asked).toHaveLength(1)
  })

  it('is repeated as often as the budget has it, however many there are', async () => {
    await using server = await startFlaky('resources/read', answers(503))
    await using gateway = await gatewayTo(server.url, {
      circuitBreaker: { consecutiveFailures: 0 },
    })
    const session = await openSession(gateway.url)
    const startedAt = performance.now()
    const read = () => session.request('resources/read', { uri: 'flaky://it' })
    for (let round = 0; round < 10; round++) await Promise.all(Array.from({ length: 20 }, read))
    const seconds = Math.ceil((performance.now() - startedAt) / 1_000)
    // A fifth of what was asked, ten in reserve and one a second; without a budget there were 600.
    expect(server.asked.length - 200).toBeLessThanOrEqual(200 * 0.2 + 10 + seconds + 2)
    expect(server.asked.length).toBeGreaterThan(200)
  })
})

describe('a call of a tool that says that it may be repeated', () => {
  it.each(FAULTS)('is, after %s, where the server is believed', async (_, fault) => {
    for (const name of ['reads', 'idempotent']) {
      await using server = await startFlaky('tools/call', fault, 2)
      await using gateway = await gatewayTo(server.url, { retries: { annotated: true } })
      const session = await openSession(gateway.url)
      expect(await REQUESTS['tools/call']?.(session, name)).toMatchObject({ result: {} })
      expect(server.asked).toHaveLength(3)
    }
    await using server = await startFlaky('tools/call', fault, 2)
    await using gateway = await gatewayTo(server.url, { retries: { annotated: true } })
    const session = await openSession(gateway.url)
    expect(await REQUESTS['tools/call']?.(session, 'plain')).toMatchObject({ error: {} })
    expect(server.asked).toHaveLength(1)
  })
})

describe('a call that was never sent', () => {
  it('reaches a server that is back a moment later', async () => {
    await using upstream = await startEcho()
    await using gateway = await gatewayTo(upstream.url, {
      retries: { attempts: 10, backoff: '50ms' },
      circuitBreaker: { consecutiveFailures: 0 },
    })
    const session = await openSession(gateway.url)
    await session.call('a__echo')
    upstream.received.length = 0
    await upstream.kill()
    const call = session.call('a__echo', { still: 'here' })
    const retried = async () => ((await metricOf(gateway, RETRIES)) ?? 0) > 0
    await waitUntil(retried, 'an attempt in vain')
    await upstream.start()
    expect((await call).json).toMatchObject({ result: { content: [{ text: '{"still":"here"}' }] } })
    expect(upstream.asked('tools/call')).toHaveLength(1)
  })

  it('is made once more by each of those who find their session forgotten together', async () => {
    await using upstream = await startEcho()
    await using gateway = await gatewayTo(upstream.url)
    const session = await openSession(gateway.url)
    await session.call('a__echo')
    await upstream.kill()
    await upstream.start()
    upstream.received.length = 0
    const calls = Array.from({ length: 20 }, (_, mark) => session.call('a__echo', { mark }))
    for (const [mark, { json }] of (await Promise.all(calls)).entries()) {
      expect(json).toMatchObject({ result: { content: [{ text: `{"mark":${mark}}` }] } })
    }
    expect(upstream.asked('tools/call')).toHaveLength(20)
  })
})
