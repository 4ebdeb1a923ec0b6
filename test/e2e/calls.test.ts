import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { startGateway } from '../support/gateway.js'
import { openSession, post } from '../support/raw-client.js'
import { answerJson, startHostile } from '../support/raw-http-server.js'
import { connectV1 } from '../support/sdk-clients.js'
import type { Handler, UpstreamOptions } from '../support/upstream-server.js'
import { echo, startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

/** A tool that reports progress, then answers. */
const stepping: Handler = async (params, { sendNotification, _meta }) => {
  const progressToken = _meta?.progressToken
  for (const progress of [1, 2, 2, 1, 3]) {
    if (progressToken === undefined) continue
    await sendNotification({
      method: 'notifications/progress',
      params: { progressToken, progress, total: 3, message: `step ${progress}` },
    })
  }
  return echo(params, {} as never)
}

async function gatewayTo(options: UpstreamOptions, target: JsonObject = {}) {
  const upstream = await startEcho(options)
  const gateway = await startGateway({
    targets: [{ name: 'a', mcp: { url: upstream.url }, ...target }],
  })
  return {
    upstream,
    gateway,
    [Symbol.asyncDispose]: async () => {
      await gateway.close()
      await upstream[Symbol.asyncDispose]()
    },
  }
}

describe('a call', () => {
  it('arrives byte for byte, but for the name', async () => {
    await using hostile = await startHostile((message, response) =>
      answerJson(response, message, {}),
    )
    await using gateway = await startGateway({
      targets: [{ name: 'h', mcp: { url: hostile.url } }],
    })
    const session = await openSession(gateway.url)
    const params = (name: string) =>
      `{"arguments":{"big":12345678901234567890,"one":1.0,"u":"\\u00e9"},"name":"${name}","odd":[ 1e2 ],"_meta":{"example.com/k":1.0}}`
    const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params('h__bad')}}`
    expect((await post(session.url, body, session.headers)).status).toBe(200)
    expect(hostile.bodies.at(-1)).toContain(`"params":${params('bad')}}`)
  })

  it('is answered byte for byte, numbers, unknown fields and unknown blocks included [R87]', async () => {
    const result =
      '{ "content":[{"type":"hologram","beams":1.0}], "structuredContent":{"big":12345678901234567890}, "isError":true, "resultKind":"odd","_meta":{"example.com/k":[1e2]} }'
    await using hostile = await startHostile(({ id }, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(`{"result":${result},"id":${String(id)},"jsonrpc":"2.0","extra":1}`)
    })
    await using gateway = await startGateway({
      targets: [{ name: 'h', mcp: { url: hostile.url } }],
    })
    const session = await openSession(gateway.url)
    const body = { jsonrpc: '2.0', id: 'q', method: 'tools/call', params: { name: 'h__bad' } }
    const { text } = await post(session.url, body, session.headers)
    expect(text).toBe(`{"jsonrpc":"2.0","id":"q","result":${result}}`)
  })

  it('carries the server’s own error with its data', async () => {
    await using hostile = await startHostile(({ id }, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      const error = { code: -32050, message: 'quota', data: { retryIn: 7, odd: [1] } }
      response.end(JSON.stringify({ jsonrpc: '2.0', id, error }))
    })
    await using gateway = await startGateway({
      targets: [{ name: 'h', mcp: { url: hostile.url } }],
    })
    const session = await openSession(gateway.url)
    const { status, json } = await session.call('h__bad')
    expect(status).toBe(200)
    expect(json['error']).toEqual({
      code: -32050,
      message: 'quota',
      data: { retryIn: 7, odd: [1] },
    })
  })

  it('brings progress on its own stream, under the client’s token, growing, and then the answer [R39]', async () => {
    await using world = await gatewayTo({ handlers: { 'tools/call': stepping } })
    const session = await openSession(world.gateway.url)
    for (const progressToken of ['mine', 7, 0]) {
      const { messages, headers } = await session.request('tools/call', {
        name: 'a__echo',
        _meta: { progressToken, 'example.com/kept': true },
      })
      expect(headers['content-type']).toBe('text/event-stream')
      expect(headers['x-accel-buffering']).toBe('no')
      expect(messages.map((it) => it['method'] ?? 'answer')).toEqual([
        'notifications/progress',
        'notifications/progress',
        'notifications/progress',
        'answer',
      ])
      expect(messages[0]?.['params']).toEqual({
        progressToken,
        progress: 1,
        total: 3,
        message: 'step 1',
      })
    }
    const meta = world.upstream.asked('tools/call').map((it) => it.params['_meta'] as JsonObject)
    expect(meta[0]).toMatchObject({ 'example.com/kept': true })
    expect(meta[0]?.['progressToken']).not.toBe('mine')
  })

  it('asks for no progress where the client wants none, and is then plain JSON', async () => {
    await using world = await gatewayTo({ handlers: { 'tools/call': stepping } })
    const session = await openSession(world.gateway.url)
    const { headers } = await session.call('a__echo')
    expect(headers['content-type']).toBe('application/json')
    expect(world.upstream.asked('tools/call')[0]?.params).toEqual({ name: 'echo', arguments: {} })
  })

  it('shows progress to a real client', async () => {
    await using world = await gatewayTo({ handlers: { 'tools/call': stepping } })
    await using client = await connectV1(world.gateway.url)
    const seen: number[] = []
    await client.callTool({ name: 'a__echo' }, undefined, {
      onprogress: ({ progress }) => seen.push(progress),
    })
    expect(seen).toEqual([1, 2, 3])
  })

  it('is cancelled at the owner, under the owner’s id, when the client says so [R60]', async () => {
    const ended: boolean[] = []
    const hang: Handler = (_, { signal }) =>
      new Promise((resolve) => {
        signal.addEventListener('abort', () => {
          ended.push(true)
          resolve({ content: [] })
        })
      })
    await using world = await gatewayTo({ handlers: { 'tools/call': hang } })
    const session = await openSession(world.gateway.url)
    const body = { jsonrpc: '2.0', id: 'long', method: 'tools/call', params: { name: 'a__echo' } }
    const call = post(session.url, body, session.headers)
    await waitUntil(() => world.upstream.asked('tools/call').length === 1, 'the call to arrive')
    await session.notify('notifications/cancelled', { requestId: 'other' })
    expect(ended).toEqual([])
    await session.notify('notifications/cancelled', { requestId: 'long', reason: 'enough' })
    await waitUntil(() => ended.length === 1, 'the server to be told')
    expect((await call).messages).toEqual([])
    expect((await session.request('ping')).status).toBe(200)
  })

  it('goes on when the client merely disconnects [R55]', async () => {
    let finish: () => void = () => undefined
    let aborted = false
    const slow: Handler = async (params, { signal }) => {
      signal.addEventListener('abort', () => (aborted = true))
      await new Promise<void>((resolve) => (finish = resolve))
      return echo(params, {} as never)
    }
    await using world = await gatewayTo({ handlers: { 'tools/call': slow } })
    const session = await openSession(world.gateway.url)
    const { request } = await import('node:http')
    const connection = request(session.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-session-id': session.id,
      },
    })
    connection.on('error', () => undefined)
    connection.end(
      JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'a__echo' } }),
    )
    await waitUntil(() => world.upstream.asked('tools/call').length === 1, 'the call to arrive')
    connection.destroy()
    expect((await session.request('ping')).status).toBe(200)
    expect(aborted).toBe(false)
    finish()
    expect(world.upstream.asked('notifications/cancelled')).toHaveLength(0)
  })

  it('may not share its id with one that is running', async () => {
    let finish: () => void = () => undefined
    const slow: Handler = async (params) => {
      await new Promise<void>((resolve) => (finish = resolve))
      return echo(params, {} as never)
    }
    await using world = await gatewayTo({ handlers: { 'tools/call': slow } })
    const session = await openSession(world.gateway.url)
    const body = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'a__echo' } }
    const first = post(session.url, body, session.headers)
    await waitUntil(() => world.upstream.asked('tools/call').length === 1, 'the call to arrive')
    const second = await post(session.url, body, session.headers)
    expect(second.json).toMatchObject({ id: 1, error: { code: -32600 } })
    finish()
    expect((await first).json).toMatchObject({ id: 1, result: {} })
  })

  it('takes no header of the client’s along, and puts on those of its own hop [R45][R89]', async () => {
    await using world = await gatewayTo({})
    const session = await openSession(world.gateway.url, '2025-06-18')
    world.upstream.headers.length = 0
    const body = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'a__echo' } }
    await post(session.url, body, {
      ...session.headers,
      authorization: 'Bearer secret',
      cookie: 'a=b',
      'x-custom': '1',
      'mcp-protocol-version': '2025-06-18',
      'proxy-authorization': 'Basic x',
    })
    await waitUntil(() => world.upstream.asked('tools/call').length === 1, 'the call to arrive')
    for (const headers of world.upstream.headers) {
      const names = Object.keys(headers)
      for (const name of ['authorization', 'cookie', 'x-custom', 'proxy-authorization', 'origin']) {
        expect(names).not.toContain(name)
      }
      expect(headers['mcp-session-id']).not.toBe(session.id)
    }
    const called = world.upstream.headers.filter((it) => it['mcp-protocol-version'] !== undefined)
    expect(called.length).toBeGreaterThan(0)
    for (const headers of called) {
      if (headers['content-type'] === undefined) continue
      expect(headers['mcp-protocol-version']).toBe('2025-11-25')
      expect(headers.accept).toBe('application/json, text/event-stream')
    }
  })

  it('times out with an error, and the server is told to stop', async () => {
    const hang: Handler = () => new Promise(() => undefined)
    await using world = await gatewayTo(
      { handlers: { 'tools/call': hang } },
      { timeouts: { call: '100ms' } },
    )
    const session = await openSession(world.gateway.url)
    const { json } = await session.call('a__echo')
    expect(json).toMatchObject({
      error: { code: -32603, data: { target: 'a', reason: 'timeout' } },
    })
    expect((await session.request('ping')).status).toBe(200)
  })

  it.each([
    ['tools/call', { name: 'nope' }, -32602],
    ['tools/call', { name: 7 }, -32602],
    ['tools/call', {}, -32602],
    ['prompts/get', { name: 'nope' }, -32602],
    ['resources/read', { uri: 'demo://nope' }, -32002],
    ['resources/read', {}, -32602],
    ['completion/complete', {}, -32602],
    ['completion/complete', { ref: { type: 'ref/odd' } }, -32602],
    ['completion/complete', { ref: { type: 'ref/prompt', name: 'nope' } }, -32602],
    ['completion/complete', { ref: { type: 'ref/resource', uri: 'demo://nope' } }, -32002],
  ])('%s with %j is answered with %i', async (method, params, code) => {
    await using world = await gatewayTo({ prompts: [{ name: 'p' }] })
    const session = await openSession(world.gateway.url)
    const { status, json } = await session.request(method, params)
    expect(status).toBe(200)
    expect(json).toMatchObject({ error: { code } })
  })
})
