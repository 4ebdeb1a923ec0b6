/** More than the gateway can do: refused at once, by whom it hurts least, and without harm to what runs. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { spawnGateway, startGateway } from '../support/gateway.js'
import { ModernClient } from '../support/modern-client.js'
import type { RawResponse, RawSession } from '../support/raw-client.js'
import { get, initializeRequest, openSession, post } from '../support/raw-client.js'
import { metricOf } from '../support/scrape.js'
import type { Handler, Upstream } from '../support/upstream-server.js'
import { echo, startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

/** A server whose calls are answered when they are told to be. */
async function startHeld() {
  let finish: () => void = () => undefined
  const told = new Promise<void>((resolve) => (finish = resolve))
  const call: Handler = async (params, extra) => {
    await told
    return echo(params, extra)
  }
  const upstream = await startEcho({ handlers: { 'tools/call': call } })
  return Object.assign(upstream, { finish: () => finish() })
}

const gatewayTo = ({ url }: Upstream, overload: JsonObject) =>
  startGateway({
    targets: [{ name: 'a', mcp: { url } }],
    listen: { overload },
    admin: { port: 0 },
  })

const arrived = (upstream: Upstream, count: number) =>
  waitUntil(() => upstream.asked('tools/call').length === count, `${count} calls to arrive`)

/** So many calls that run, of this session. */
async function hold(upstream: Upstream, session: RawSession, count: number) {
  const calls = Array.from({ length: count }, () => session.call('a__echo'))
  await arrived(upstream, count)
  return calls
}

function expectRefusal({ status, headers, json }: RawResponse): void {
  expect(status).toBe(503)
  const seconds = Number(headers['retry-after'])
  expect(seconds).toBeGreaterThan(0)
  expect(json).toMatchObject({
    jsonrpc: '2.0',
    error: { code: -32603, data: { reason: 'overloaded', retryAfterMs: seconds * 1_000 } },
  })
}

describe('requests beyond listen.overload.maxRequests', () => {
  it('are refused with a time to come back; health, metrics and DELETE are not', async () => {
    await using upstream = await startHeld()
    await using gateway = await gatewayTo(upstream, { maxRequests: 4 })
    const [session, other] = [await openSession(gateway.url), await openSession(gateway.url)]
    const running = [1, 2, 3, 4].map((mark) => session.call('a__echo', { mark }))
    await arrived(upstream, 4)
    expectRefusal(await session.call('a__echo'))
    expectRefusal(await new ModernClient(gateway.url).call('a__echo', {}))
    for (const path of ['/healthz', '/readyz']) {
      expect((await get(new URL(path, gateway.url).href)).status).toBe(200)
    }
    expect(await metricOf(gateway, 'mcp_junction_overloaded_total{reason="requests"}')).toBe(2)
    expect(await metricOf(gateway, 'mcp_junction_overloaded_total{reason="memory"}')).toBe(0)
    expect((await other.delete()).status).toBe(204)
    upstream.finish()
    for (const [index, { json }] of (await Promise.all(running)).entries()) {
      expect(json).toMatchObject({ result: { content: [{ text: `{"mark":${index + 1}}` }] } })
    }
    expect((await session.call('a__echo', { mark: 5 })).status).toBe(200)
  })

  it('are those of new clients first', async () => {
    await using upstream = await startHeld()
    await using gateway = await gatewayTo(upstream, { maxRequests: 10 })
    const session = await openSession(gateway.url)
    const running = await hold(upstream, session, 9)
    expectRefusal(await post(gateway.url, initializeRequest()))
    running.push(session.call('a__echo'))
    await arrived(upstream, 10)
    upstream.finish()
    for (const { status } of await Promise.all(running)) expect(status).toBe(200)
  })

  it('are told of in the log once, and once that it is over', async () => {
    await using upstream = await startHeld()
    await using gateway = await spawnGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
      listen: { port: 0, overload: { maxRequests: 2 } },
    })
    const session = await openSession(gateway.url)
    const running = [session.call('a__echo'), session.call('a__echo')]
    await arrived(upstream, 2)
    for (let time = 0; time < 3; time++) expectRefusal(await session.call('a__echo'))
    const lines = (msg: string) => gateway.log.filter((it) => it['msg'] === msg)
    await waitUntil(() => lines('no longer too much to do').length === 1, 'the end to be told')
    expect(lines('too much to do; requests are refused')).toMatchObject([{ reason: 'requests' }])
    expect(lines('no longer too much to do')).toMatchObject([{ refused: 3 }])
    upstream.finish()
    await Promise.all(running)
  })
})

describe('bodies beyond listen.overload.maxHeldBytes', () => {
  const large = { text: 'x'.repeat(600_000) }

  it('are refused before they are read, and small ones are not', async () => {
    await using upstream = await startHeld()
    await using gateway = await gatewayTo(upstream, { maxHeldBytes: 1_000_000 })
    const session = await openSession(gateway.url)
    const running = [session.call('a__echo', large)]
    await arrived(upstream, 1)
    // Not a byte of it is sent.
    const socket = connect(gateway.port, '127.0.0.1')
    const head = [
      'POST /mcp HTTP/1.1',
      'host: 127.0.0.1',
      'content-type: application/json',
      'content-length: 600000',
      `mcp-session-id: ${session.id}`,
    ]
    socket.write(`${head.join('\r\n')}\r\n\r\n`)
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString()).toMatch(
      /^HTTP\/1\.1 503 .*connection: close.*"reason":"overloaded"/is,
    )
    await once(socket, 'close')
    running.push(session.call('a__echo', { text: 'small' }))
    await arrived(upstream, 2)
    upstream.finish()
    for (const { status } of await Promise.all(running)) expect(status).toBe(200)
    expect((await session.call('a__echo', large)).status).toBe(200)
  })

  it('are refused while they come, where nobody said how long they are', async () => {
    await using upstream = await startHeld()
    await using gateway = await gatewayTo(upstream, { maxHeldBytes: 1_000_000 })
    const session = await openSession(gateway.url)
    const chunked = { 'transfer-encoding': 'chunked' }
    const call = () =>
      post(
        gateway.url,
        {
          jsonrpc: '2.0',
          id: 7,
          method: 'tools/call',
          params: { name: 'a__echo', arguments: large },
        },
        { ...session.headers, ...chunked },
      )
    const running = session.call('a__echo', large)
    await arrived(upstream, 1)
    expectRefusal(await call())
    upstream.finish()
    expect((await running).status).toBe(200)
    expect((await call()).status).toBe(200)
  })

  it('are taken where nothing else is held, whatever their size', async () => {
    await using upstream = await startEcho()
    await using gateway = await gatewayTo(upstream, { maxHeldBytes: 1024 })
    const session = await openSession(gateway.url)
    expect((await session.call('a__echo', large)).status).toBe(200)
  })
})

describe('while memory is short', () => {
  it('few requests are served at a time, and fewer of new clients', async () => {
    await using upstream = await startHeld()
    // It always is.
    await using gateway = await gatewayTo(upstream, { maxMemory: 0.000_001 })
    const session = await openSession(gateway.url)
    const running = await hold(upstream, session, 4)
    expectRefusal(await post(gateway.url, initializeRequest()))
    running.push(...Array.from({ length: 12 }, () => session.call('a__echo')))
    await arrived(upstream, 16)
    expectRefusal(await session.call('a__echo'))
    upstream.finish()
    for (const { status } of await Promise.all(running)) expect(status).toBe(200)
  })

  it('a small gateway outlives many times what it could hold', async () => {
    await using upstream = await startHeld()
    const { NODE_OPTIONS } = process.env
    process.env['NODE_OPTIONS'] = '--max-old-space-size=96'
    await using gateway = await spawnGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    }).finally(() => {
      if (NODE_OPTIONS === undefined) delete process.env['NODE_OPTIONS']
      else process.env['NODE_OPTIONS'] = NODE_OPTIONS
    })
    const session = await openSession(gateway.url)
    const text = 'x'.repeat(2_000_000)
    let refused = 0
    const running = Array.from({ length: 150 }, async (_, mark) => {
      // Whoever is refused while it sends may see no more than the end of the connection.
      const answer = await session.call('a__echo', { mark, text }).catch(() => undefined)
      if (answer === undefined || answer.status === 503) return void refused++
      expect(answer.text).toContain(`{\\"mark\\":${mark},`)
    })
    await waitUntil(() => refused > 100, 'most to be refused')
    upstream.finish()
    await Promise.all(running)
    expect(refused).toBeLessThan(150)
    expect((await session.call('a__echo', { mark: 'last' })).status).toBe(200)
    expect(gateway.process.exitCode).toBeNull()
  })
})

it('streams beyond listen.overload.maxStreams are refused, of either era, until others end', async () => {
  await using upstream = await startEcho()
  await using gateway = await gatewayTo(upstream, { maxStreams: 3, maxRequests: 3 })
  const session = await openSession(gateway.url)
  const streams = [await session.listen(), await session.listen()]
  const client = new ModernClient(gateway.url)
  const listen = () =>
    client.begin('subscriptions/listen', { notifications: { toolsListChanged: true } })
  const listening = await listen()
  expect((await session.listen()).status).toBe(503)
  expect((await listen()).status).toBe(503)
  // A stream is no request that is being answered.
  expect((await session.call('a__echo')).status).toBe(200)
  streams[0]?.close()
  await waitUntil(async () => {
    const again = await session.listen()
    again.close()
    return again.status === 200
  }, 'room for another')
  streams[1]?.close()
  listening.close()
})
