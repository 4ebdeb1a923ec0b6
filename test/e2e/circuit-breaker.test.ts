import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { EverythingProcess } from '../support/everything-process.js'
import type { RunningGateway } from '../support/gateway.js'
import { spawnGateway, startGateway } from '../support/gateway.js'
import type { ListeningProcess } from '../support/listening-process.js'
import { startListening } from '../support/listening-process.js'
import { ModernClient } from '../support/modern-client.js'
import { ModernError, startModern } from '../support/modern-upstream.js'
import type { RawSession } from '../support/raw-client.js'
import { get, openSession } from '../support/raw-client.js'
import { startHostile } from '../support/raw-http-server.js'
import { metricOf } from '../support/scrape.js'
import { TcpProxy } from '../support/tcp-proxy.js'
import type { Handler } from '../support/upstream-server.js'
import { echo, startEcho } from '../support/upstream-server.js'
import { waitUntil, waitUntilStill } from '../support/wait-until.js'

const ERAS = ['legacy', 'modern'] as const

/** A server of the SDK as a process of its own; its tool `plain` says what it is given. */
function startProcess(era: (typeof ERAS)[number]): Promise<ListeningProcess> {
  const program = fileURLToPath(new URL(`../contract/${era}-server.mjs`, import.meta.url))
  return startListening(program, 'json', ...(era === 'legacy' ? ['2025-11-25'] : []), '/nowhere')
}

/** Has each client's session at the server open. */
async function hasWorked(...clients: readonly (RawSession | ModernClient)[]): Promise<void> {
  for (const client of clients) {
    const { json } = await client.call('a__plain', { a: 'before' })
    expect(json).toMatchObject({ result: { content: [{ text: 'plain before' }] } })
  }
}

const gatewayTo = (url: string, options: JsonObject = {}, more: readonly JsonObject[] = []) =>
  startGateway({
    admin: { port: 0 },
    targets: [{ name: 'a', mcp: { url }, ...options }, ...more],
  })

const stateOf = (gateway: RunningGateway) =>
  metricOf(gateway, 'mcp_junction_circuit_state{target="a"}')
const isOpen = (gateway: RunningGateway) =>
  waitUntil(async () => (await stateOf(gateway)) === 2, 'the circuit to open')
const isClosed = (gateway: RunningGateway) =>
  waitUntil(async () => (await stateOf(gateway)) === 0, 'the circuit to close')
const isAway = (gateway: RunningGateway) =>
  waitUntil(() => gateway.readiness().targets[0]?.ready === false, 'the loss to be noticed')
const isBack = (gateway: RunningGateway) =>
  waitUntil(() => gateway.readiness().targets[0]?.ready === true, 'the return to be noticed')

const LEFT_ALONE = {
  error: {
    code: -32603,
    message: expect.stringMatching(/"a" is not called for now.*try again in \d+ s/) as string,
    data: { target: 'a', reason: 'circuit-open', retryAfterMs: expect.any(Number) as number },
  },
}

/** A server that answers calls with HTTP 503 as long as it is told to, and counts them. */
async function startFailing(era: 'legacy' | 'modern') {
  const state = { isFailing: true, calls: 0 }
  if (era === 'modern') {
    const upstream = await startModern({
      tools: [{ name: 'bad', inputSchema: { type: 'object' } }],
      handlers: {
        'tools/call': (_, response) => {
          state.calls++
          if (!state.isFailing) return { content: [] }
          response.writeHead(503).end()
          return undefined
        },
      },
    })
    return Object.assign(upstream, { state })
  }
  const server = await startHostile(({ id }, response) => {
    state.calls++
    if (state.isFailing) return void response.writeHead(503).end()
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result: { content: [] } }))
  })
  return { ...server, state }
}

describe.each(ERAS)('a %s server that fails again and again', (era) => {
  const circuitBreaker = { consecutiveFailures: 3 }

  it('is left alone, and everybody can read it; its lists and the other servers go on', async () => {
    await using bad = await startFailing(era)
    await using good = await startEcho()
    const other = { name: 'good', mcp: { url: good.url } }
    await using gateway = await gatewayTo(bad.url, { circuitBreaker }, [other])
    const session = await openSession(gateway.url)
    const modern = new ModernClient(gateway.url)
    expect(await stateOf(gateway)).toBe(0)
    for (let failure = 0; failure < 3; failure++) {
      const { json } = await session.call('a__bad')
      expect(json).toMatchObject({ error: { data: { reason: 'protocol' } } })
    }
    expect((await session.call('a__bad')).json).toMatchObject(LEFT_ALONE)
    expect((await modern.call('a__bad')).json).toMatchObject(LEFT_ALONE)
    expect(bad.state.calls).toBe(3)

    const { json } = await session.request('tools/list')
    expect(json).toMatchObject({ result: { tools: [{ name: 'a__bad' }, { name: 'good__echo' }] } })
    expect((await session.call('good__echo')).json).toMatchObject({ result: {} })

    expect(await stateOf(gateway)).toBe(2)
    const circuit = {
      state: 'open',
      reason: 'the server answered HTTP 503',
      ejections: 1,
      since: expect.any(String) as string,
      until: expect.any(String) as string,
    }
    const ready = await get(gateway.url.replace(/\/mcp$/, '/readyz'))
    expect(ready.status).toBe(200)
    expect(ready.json).toMatchObject({
      targets: [
        { target: 'a', circuit },
        { target: 'good', ready: true },
      ],
    })
    const { json: report } = await get(`${gateway.adminUrl}/api/v1/targets`)
    expect(report).toMatchObject({ targets: [{ name: 'a', state: 'ready', circuit }, {}] })
    expect((report['targets'] as JsonObject[])[1]).not.toHaveProperty('circuit')
  })

  it('is asked by the gateway itself whether it is back, and called again when it answers', async () => {
    await using bad = await startFailing(era)
    await using gateway = await gatewayTo(bad.url, {
      circuitBreaker: { consecutiveFailures: 3, ejection: '500ms' },
    })
    const session = await openSession(gateway.url)
    for (let failure = 0; failure < 3; failure++) await session.call('a__bad')
    expect((await session.call('a__bad')).json).toMatchObject(LEFT_ALONE)
    bad.state.isFailing = false
    await isClosed(gateway)
    expect(bad.state.calls).toBe(3)
    expect((await session.call('a__bad')).json).toMatchObject({ result: { content: [] } })
  })
})

it('errors and results that a server gives are no failures of it', async () => {
  const failing: Handler = ({ arguments: given }) => {
    const { how } = given as JsonObject
    if (how === 'error') throw Object.assign(new Error('no'), { code: -32000 })
    return { content: [], isError: true }
  }
  await using upstream = await startEcho({ handlers: { 'tools/call': failing } })
  await using modern = await startModern({
    handlers: {
      'tools/call': () => {
        throw new ModernError(-32603, 500)
      },
    },
  })
  for (const { url } of [upstream, modern]) {
    await using gateway = await gatewayTo(url, { circuitBreaker: { consecutiveFailures: 1 } })
    const session = await openSession(gateway.url)
    for (const how of ['error', 'isError', 'error']) await session.call('a__echo', { how })
    expect(await stateOf(gateway)).toBe(0)
  }
})

describe('a server that comes back is noticed without a request', () => {
  const quick = {
    health: { interval: '50ms', timeout: '1s' },
    timeouts: { open: '2s' },
    circuitBreaker: { consecutiveFailures: 2 },
    retries: { attempts: 0 },
  }

  it('after kill -9, with its port closed: calls fail at once, then work again', async () => {
    await using server = await EverythingProcess.start()
    await using gateway = await gatewayTo(server.url, quick)
    const session = await openSession(gateway.url)
    await session.call('a__echo', { message: 'before' })
    await server.kill()
    await isAway(gateway)
    await waitUntil(async () => {
      const { json } = await session.call('a__echo', { message: 'away' })
      const { data } = json['error'] as { data: JsonObject }
      return data['reason'] === 'circuit-open'
    }, 'calls to fail at once')
    await server.start()
    await isBack(gateway)
    await isClosed(gateway)
    const { json } = await session.call('a__echo', { message: 'after' })
    expect(json).toMatchObject({ result: { content: [{ text: 'Echo: after' }] } })
  })

  it.each(ERAS)('after SIGSTOP, also in a call, which goes on where it was (%s)', async (era) => {
    await using server = await startProcess(era)
    await using gateway = await gatewayTo(server.url, quick)
    const session = await openSession(gateway.url)
    const modern = new ModernClient(gateway.url)
    await hasWorked(session, modern)
    server.freeze()
    const inFlight = [session.call('a__plain', { a: 1 }), modern.call('a__plain', { a: 2 })]
    await isAway(gateway)
    await isOpen(gateway)
    expect((await session.call('a__plain')).json).toMatchObject(LEFT_ALONE)
    server.thaw()
    for (const [index, { json }] of (await Promise.all(inFlight)).entries()) {
      expect(json).toMatchObject({ result: { content: [{ text: `plain ${index + 1}` }] } })
    }
    await isBack(gateway)
    await isClosed(gateway)
    const { json } = await session.call('a__plain', { a: 'after' })
    expect(json).toMatchObject({ result: { content: [{ text: 'plain after' }] } })
  })

  it.each(ERAS)('after SIGSTOP before it was ever connected to (%s)', async (era) => {
    await using server = await startProcess(era)
    server.freeze()
    await using gateway = await gatewayTo(server.url, quick)
    await isOpen(gateway)
    server.thaw()
    await isBack(gateway)
    await isClosed(gateway)
    const { json } = await (await openSession(gateway.url)).call('a__plain', { a: 1 })
    expect(json).toMatchObject({ result: { content: [{ text: 'plain 1' }] } })
  })

  it.each(ERAS)(
    'or does not, after kill -9 in a call: both clients can read it (%s)',
    async (era) => {
      await using server = await startProcess(era)
      await using gateway = await gatewayTo(server.url, quick)
      const session = await openSession(gateway.url)
      const modern = new ModernClient(gateway.url)
      await hasWorked(session, modern)
      server.freeze()
      const inFlight = [session.call('a__plain', { a: 1 }), modern.call('a__plain', { a: 2 })]
      await isAway(gateway)
      await server.kill()
      for (const { json } of await Promise.all(inFlight)) {
        expect(json).toMatchObject({ error: { data: { target: 'a', reason: 'unreachable' } } })
      }
      await isOpen(gateway)
      for (const client of [session, modern]) {
        expect((await client.call('a__plain')).json).toMatchObject(LEFT_ALONE)
      }
    },
  )

  it.each(ERAS)('at the other end of connections that lead nowhere any more (%s)', async (era) => {
    await using upstream = await (era === 'legacy' ? startEcho() : startModern(MODERN_ECHO))
    await using proxy = await TcpProxy.start(upstream.url)
    const url = `http://127.0.0.1:${proxy.port}/mcp`
    await using gateway = await gatewayTo(url, { ...quick, circuitBreaker: {} })
    const session = await openSession(gateway.url)
    expect((await session.call('a__echo', { a: 1 })).json).toMatchObject({ result: {} })
    const { length } = upstream.asked('tools/list')
    proxy.silence()
    // It may be connected anew faster than anybody looks.
    const isRead = () => upstream.asked('tools/list').length > length
    await waitUntil(isRead, 'the gateway to connect anew')
    await isBack(gateway)
    expect((await session.call('a__echo', { a: 2 })).json).toMatchObject({
      result: { content: [{ text: '{"a":2}' }] },
    })
  })
})

const MODERN_ECHO = {
  handlers: {
    'tools/call': ({ params }: { readonly params: JsonObject }) => ({
      content: [{ type: 'text', text: JSON.stringify(params['arguments'] ?? null) }],
    }),
  },
}

describe('calls on their way to one server', () => {
  function held() {
    let finish: () => void = () => undefined
    const told = new Promise<void>((resolve) => (finish = resolve))
    const call: Handler = async (params, extra) => {
      await told
      return echo(params, extra)
    }
    return { call, finish: () => finish() }
  }

  it('are as many as it has connections, wait as many as may, and fail beyond that', async () => {
    const { call, finish } = held()
    await using upstream = await startEcho({ handlers: { 'tools/call': call } })
    await using gateway = await gatewayTo(upstream.url, {
      circuitBreaker: { maxConnections: 2, maxPending: 3 },
    })
    const session = await openSession(gateway.url)
    const calls = Array.from({ length: 5 }, (_, mark) => session.call('a__echo', { mark }))
    await waitUntil(() => upstream.asked('tools/call').length === 2, 'two calls to arrive')
    await waitUntilStill(() => upstream.asked('tools/call').length)
    expect((await session.call('a__echo')).json).toMatchObject({
      error: { code: -32603, data: { target: 'a', reason: 'overloaded' } },
    })
    expect(upstream.asked('tools/call')).toHaveLength(2)
    expect(await stateOf(gateway)).toBe(0)
    finish()
    for (const [mark, { json }] of (await Promise.all(calls)).entries()) {
      expect(json).toMatchObject({ result: { content: [{ text: `{"mark":${mark}}` }] } })
    }
  })

  it('leave room for streams, for lists, and for what their callers answer', async () => {
    const asking: Handler = async (_, { sendRequest }) => {
      const { ElicitResultSchema } = await import('@modelcontextprotocol/sdk/types.js')
      const params = { message: '?', requestedSchema: { type: 'object', properties: {} } } as const
      const { action } = await sendRequest(
        { method: 'elicitation/create', params },
        ElicitResultSchema,
      )
      return { content: [{ type: 'text', text: action }] }
    }
    await using upstream = await startEcho({ handlers: { 'tools/call': asking } })
    await using gateway = await gatewayTo(upstream.url, { circuitBreaker: { maxConnections: 1 } })
    const session = await openSession(gateway.url, undefined, { elicitation: {} })
    const listening = await session.listen()
    const call = await session.begin('tools/call', { name: 'a__echo', arguments: {} })
    await call.next('elicitation/create')
    upstream.lists.tools = [
      ...upstream.lists.tools,
      { name: 'new', inputSchema: { type: 'object' } },
    ]
    await upstream.notifyListChanged('tools')
    await listening.next('notifications/tools/list_changed')
    const question = call.messages.find((it) => it['method'] === 'elicitation/create')
    await session.answer(question?.['id'] ?? null, { action: 'decline' })
    await call.ended
    expect(call.messages.at(-1)).toMatchObject({ result: { content: [{ text: 'decline' }] } })
    listening.close()
  })
})

it('the log says once that a server is left alone, and once that it is called again', async () => {
  await using bad = await startFailing('legacy')
  await using gateway = await spawnGateway({
    targets: [
      {
        name: 'a',
        mcp: { url: bad.url },
        circuitBreaker: { consecutiveFailures: 2, ejection: '300ms' },
      },
    ],
  })
  const session = await openSession(gateway.url)
  for (let call = 0; call < 5; call++) await session.call('a__bad')
  const lines = (msg: string) => gateway.log.filter((it) => it['msg'] === msg)
  await waitUntil(() => lines('called again').length === 1, 'the end to be told')
  expect(lines('failed too often; left alone, calls fail at once')).toMatchObject([
    { target: 'a', reason: 'the server answered HTTP 503', ejections: 1 },
  ])
})
