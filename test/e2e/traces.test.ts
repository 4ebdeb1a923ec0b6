/** Traces across agent, gateway and server, as a collector gets them and as servers are told. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import type { Collector } from '../support/collector.js'
import { startCollector } from '../support/collector.js'
import { startGateway } from '../support/gateway.js'
import { ModernClient } from '../support/modern-client.js'
import { openSession } from '../support/raw-client.js'
import { startModern } from '../support/modern-upstream.js'
import { startEcho } from '../support/upstream-server.js'

const TRACE = 'a'.repeat(32)
const OTHER_TRACE = 'c'.repeat(32)
const agent = (flags = '01') => `00-${TRACE}-${'b'.repeat(16)}-${flags}`
const proxy = `00-${OTHER_TRACE}-${'d'.repeat(16)}-01`

/** A gateway before an older and a newer server, whose spans go to `collector`. */
async function world(traces: JsonObject = {}, collector?: Collector, otlp: JsonObject = {}) {
  const upstream = await startEcho({
    prompts: [{ name: 'p' }],
    resources: [{ uri: 'note://1', name: 'n' }],
    handlers: {
      'prompts/get': () => ({ messages: [] }),
      'resources/read': () => {
        throw Object.assign(new Error('no'), { code: -32002 })
      },
    },
  })
  const modern = await startModern({
    handlers: { 'tools/call': () => ({ isError: true, content: [] }) },
  })
  const gateway = await startGateway({
    targets: [
      { name: 'old', mcp: { url: upstream.url } },
      { name: 'new', mcp: { url: modern.url } },
    ],
    telemetry: {
      traces,
      ...(collector === undefined ? {} : { otlp: { endpoint: collector.endpoint, ...otlp } }),
    },
  })
  return {
    upstream,
    modern,
    gateway,
    /** What the older server was told with its last call: in `_meta`, and in headers. */
    told: () => ({
      meta: (upstream.asked('tools/call').at(-1)?.params['_meta'] ?? {}) as JsonObject,
      headers: upstream.headers.at(-1) ?? {},
    }),
    [Symbol.asyncDispose]: async () => {
      await gateway.close()
      await upstream[Symbol.asyncDispose]()
      await modern[Symbol.asyncDispose]()
    },
  }
}

describe('a trace', () => {
  it.each(['http/protobuf', 'http/json'])(
    'goes from the agent through the gateway to servers of both eras, over %s',
    async (protocol) => {
      await using collector = await startCollector()
      const begunAt = Date.now()
      {
        await using it = await world({}, collector, { protocol })
        const session = await openSession(it.gateway.url)
        const meta = { traceparent: agent(), tracestate: 'vendor=1', baggage: 'user=me' }
        await session.request('tools/call', { name: 'old__echo', _meta: meta })
        const client = new ModernClient(it.gateway.url)
        await client.call('new__echo', {}, { headers: { traceparent: agent() } })

        const old = it.told()
        const [asked] = it.modern.asked('tools/call')
        for (const told of [old, { meta: asked?.meta ?? {}, headers: asked?.headers ?? {} }]) {
          expect(told.meta['traceparent']).toMatch(new RegExp(`^00-${TRACE}-[0-9a-f]{16}-01$`))
          expect(told.headers['traceparent']).toBe(told.meta['traceparent'])
          expect(told.meta['baggage']).toBeUndefined()
          expect(told.headers['baggage']).toBeUndefined()
        }
        expect([old.meta['tracestate'], old.headers['tracestate']]).toEqual([
          'vendor=1',
          'vendor=1',
        ])
        // Spans are sent in batches, and the last of them at the end.
        await it.gateway.close()
        for (const [target, told] of [
          ['old', old.meta['traceparent']],
          ['new', asked?.meta['traceparent']],
        ] as const) {
          const server = await collector.span(`tools/call ${target}__echo`, 'SERVER')
          const upstream = collector.spans.find(
            (span) => span.kind === 3 && span.attributes['mcp_junction.target'] === target,
          )
          expect(server).toMatchObject({ traceId: TRACE, parentSpanId: 'b'.repeat(16), links: [] })
          expect(upstream).toMatchObject({
            name: 'tools/call echo',
            traceId: TRACE,
            parentSpanId: server.spanId,
          })
          expect(told).toBe(`00-${TRACE}-${upstream?.spanId}-01`)
          const [vendor, times] = [target === 'old' ? 'vendor=1' : '', [upstream, server]]
          expect(times.map((span) => span?.tracestate)).toEqual([vendor, vendor])
          const inOrder = [
            begunAt,
            server.startedAt,
            upstream?.startedAt ?? NaN,
            upstream?.endedAt ?? NaN,
            server.endedAt,
            Date.now() + 1,
          ]
          expect(inOrder).toEqual(inOrder.toSorted((one, other) => one - other))
        }
      }
      const type = protocol === 'http/json' ? 'application/json' : 'application/x-protobuf'
      expect([...collector.contentTypes]).toEqual([type])
    },
  )

  it('begins at the gateway where nobody began it, and says what was asked, by whom and what came of it', async () => {
    await using collector = await startCollector()
    {
      await using it = await world({}, collector)
      const session = await openSession(it.gateway.url)
      await session.call('old__echo', { password: 'hunter2' })
      await session.call('new__echo')
      await session.request('prompts/get', { name: 'old__p' })
      await session.request('resources/read', { uri: 'note://1' })
      await session.call('made-up')
    }
    const server = await collector.span('tools/call old__echo', 'SERVER')
    expect(server.parentSpanId).toBe('')
    expect(server.attributes).toMatchObject({
      'mcp.method.name': 'tools/call',
      'mcp.protocol.version': '2025-11-25',
      'mcp.session.id': expect.stringMatching(/^[0-9a-f]{16}$/),
      'jsonrpc.request.id': '1',
      'gen_ai.tool.name': 'old__echo',
      'gen_ai.operation.name': 'execute_tool',
      'network.transport': 'tcp',
      'client.address': '127.0.0.1',
      'mcp_junction.target': 'old',
      'mcp_junction.outcome': 'ok',
      'mcp_junction.client.name': 'raw',
      'mcp_junction.principal': 'anonymous',
    })
    const failed = await collector.span('tools/call new__echo', 'SERVER')
    expect(failed.status).toBe(2)
    expect(failed.attributes['error.type']).toBe('tool_error')
    const upstream = collector.spans.find((it) => it.parentSpanId === failed.spanId)
    expect(upstream).toMatchObject({
      kind: 3,
      status: 2,
      attributes: { 'error.type': 'tool_error' },
    })
    expect((await collector.span('prompts/get old__p', 'SERVER')).status).toBe(0)
    const read = await collector.span('resources/read', 'SERVER')
    expect(read.attributes).toMatchObject({
      'mcp.resource.uri': 'note://1',
      'error.type': '-32002',
      'rpc.response.status_code': '-32002',
    })
    // Of names that clients make up there is no end, so they are no names of spans.
    const unknown = await collector.span('tools/call', 'SERVER')
    expect(unknown.attributes['gen_ai.tool.name']).toBe('made-up')
    expect(collector.bodies.join('')).not.toContain('hunter2')
  })

  it('has one span for each server where several are asked', async () => {
    await using collector = await startCollector()
    {
      await using one = await startEcho({ resources: [{ uri: 'a://1', name: 'a' }] })
      await using two = await startEcho({
        resources: [{ uri: 'b://1', name: 'b' }],
        handlers: { 'resources/read': () => ({ contents: [] }) },
      })
      await using gateway = await startGateway({
        targets: [
          { name: 'one', mcp: { url: one.url } },
          { name: 'two', mcp: { url: two.url } },
        ],
        telemetry: { otlp: { endpoint: collector.endpoint } },
      })
      await (await openSession(gateway.url)).request('resources/read', { uri: 'unlisted://1' })
    }
    const server = await collector.span('resources/read', 'SERVER')
    const below = collector.spans.filter((it) => it.parentSpanId === server.spanId)
    expect(below.map((it) => [it.attributes['mcp_junction.target'], it.status])).toEqual([
      ['one', 2],
      ['two', 0],
    ])
  })

  it('is that of `_meta` where the header says another, which is linked', async () => {
    await using collector = await startCollector()
    {
      await using it = await world({}, collector)
      const client = new ModernClient(it.gateway.url)
      await client.call(
        'old__echo',
        {},
        { meta: { traceparent: agent() }, headers: { traceparent: proxy } },
      )
    }
    const server = await collector.span('tools/call old__echo', 'SERVER')
    expect(server).toMatchObject({ traceId: TRACE, parentSpanId: 'b'.repeat(16) })
    expect(server.links).toEqual(['d'.repeat(16)])
  })

  it('that is not sampled is carried on as that, and nobody is told', async () => {
    await using collector = await startCollector()
    {
      await using it = await world({}, collector)
      const session = await openSession(it.gateway.url)
      await session.request('tools/call', {
        name: 'old__echo',
        _meta: { traceparent: agent('00') },
      })
      const { meta, headers } = it.told()
      expect(meta['traceparent']).toBe(agent('00'))
      expect(headers['traceparent']).toBe(agent('00'))
    }
    expect(collector.spans.filter((it) => it.name.startsWith('tools/call'))).toEqual([])
  })

  it('is sampled as the configuration says, of clients that decide it too where they are not believed', async () => {
    await using collector = await startCollector()
    {
      await using never = await world({ sampler: 'never' }, collector)
      const session = await openSession(never.gateway.url)
      await session.call('old__echo')
      expect(never.told().meta['traceparent']).toBeUndefined()
      await using refused = await world({ sampler: 0, parentBased: false }, collector)
      const client = new ModernClient(refused.gateway.url)
      await client.call('old__echo', {}, { meta: { traceparent: agent() } })
      expect(refused.told().meta['traceparent']).toBe(agent())
    }
    expect(collector.spans).toEqual([])
  })

  it('goes on to servers without a collector, and without what is not valid', async () => {
    await using it = await world()
    const session = await openSession(it.gateway.url)
    await session.call('old__echo')
    expect(it.told().meta).toEqual({})
    expect(it.told().headers['traceparent']).toBeUndefined()
    const client = new ModernClient(it.gateway.url)
    await client.call('old__echo', {}, { headers: { traceparent: agent() } })
    expect(it.told().meta['traceparent']).toBe(agent())
    expect(it.told().headers['traceparent']).toBe(agent())
    for (const traceparent of [
      'x',
      `00-${'0'.repeat(32)}-${'b'.repeat(16)}-01`,
      `${agent()}\r\nx-evil: 1`,
      `${agent()}-more`,
      7,
    ]) {
      const meta = { traceparent, tracestate: 'a=1\nx-evil: 1', baggage: 'a=1' }
      await session.request('tools/call', { name: 'old__echo', _meta: meta })
      const told = it.told()
      expect(told.meta['traceparent']).toBeUndefined()
      expect(told.headers['traceparent']).toBeUndefined()
      expect(told.headers['x-evil']).toBeUndefined()
    }
  })

  it('takes baggage along only where that is allowed', async () => {
    await using it = await world({ baggage: true })
    const session = await openSession(it.gateway.url)
    const meta = { traceparent: agent(), baggage: 'user=me' }
    await session.request('tools/call', { name: 'old__echo', _meta: meta })
    expect(it.told().meta['baggage']).toBe('user=me')
    expect(it.told().headers['baggage']).toBe('user=me')
  })

  it('holds arguments and results only where that was asked for, cut, and without secrets', async () => {
    await using collector = await startCollector()
    {
      await using it = await world({ content: true }, collector)
      const given = {
        city: 'Paris',
        password: 'pl4nted-1',
        nested: { api_key: 'pl4nted-2', text: 'Bearer pl4nted-3', more: 'eyJpl4nted4.eyJ.x' },
        long: 'x'.repeat(10_000),
      }
      await (await openSession(it.gateway.url)).call('old__echo', given)
    }
    const { attributes } = await collector.span('tools/call echo', 'CLIENT')
    const shown = String(attributes['gen_ai.tool.call.arguments'])
    expect(shown).toContain('"city":"Paris"')
    expect(shown.length).toBeLessThan(4_200)
    expect(String(attributes['gen_ai.tool.call.result'])).toContain('Paris')
    expect(collector.bodies.join('')).not.toContain('pl4nted')
  })

  it('that cannot be sent holds up neither calls nor the end of the gateway', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1')
    await once(silent, 'listening')
    await using upstream = await startEcho()
    const endpoint = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`
    const gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
      telemetry: { otlp: { endpoint } },
    })
    const { json } = await (await openSession(gateway.url)).call('a__echo')
    expect(json['result']).toBeDefined()
    await gateway.close()
    silent.closeAllConnections()
    silent.close()
  })
})
