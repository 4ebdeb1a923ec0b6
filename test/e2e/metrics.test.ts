/** What Prometheus reads of requests: how many, how long, how often wrong, by what, from whom; in bounded numbers. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { METRICS, prometheusName } from '../../src/telemetry/metric-descriptions.js'
import { configOf, startGateway } from '../support/gateway.js'
import { ModernClient } from '../support/modern-client.js'
import { get, initializeRequest, openSession, post } from '../support/raw-client.js'
import { metricOf } from '../support/scrape.js'
import { startEcho } from '../support/upstream-server.js'
import { startModern } from '../support/modern-upstream.js'
import { waitUntil } from '../support/wait-until.js'

interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** The lines of a scrape that are no comments. */
function samplesOf(text: string): readonly Sample[] {
  return text.split('\n').flatMap((line) => {
    const [, name, labels = '', value] = /^([a-z0-9_]+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? []
    if (name === undefined) return []
    const pairs = [...labels.matchAll(/([a-z0-9_<>]+)="((?:[^"\\]|\\.)*)"/g)]
    return [
      { name, labels: Object.fromEntries(pairs.map(([, k, v]) => [k, v])), value: Number(value) },
    ]
  })
}

async function scrape(adminUrl: string | undefined): Promise<readonly Sample[]> {
  return samplesOf((await get(`${adminUrl}/metrics`)).text)
}

function counted(samples: readonly Sample[], labels: Readonly<Record<string, string>>): number {
  return samples
    .filter((it) => it.name === 'mcp_server_operation_duration_seconds_count')
    .filter((it) => Object.entries(labels).every(([key, value]) => it.labels[key] === value))
    .reduce((sum, { value }) => sum + value, 0)
}

const failing = { isError: true, content: [{ type: 'text', text: 'no' }] }

describe('metrics', () => {
  it('tell of each request what it was, how it went and how long it took, here and at the server', async () => {
    await using upstream = await startEcho({
      tools: ['echo', 'fails', 'secret'].map((name) => ({ name, inputSchema: { type: 'object' } })),
      prompts: [{ name: 'p' }],
      handlers: {
        'tools/call': ({ name }) => (name === 'fails' ? failing : { content: [] }),
        'prompts/get': () => ({ messages: [] }),
      },
    })
    await using gateway = await startGateway({
      admin: { port: 0 },
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
      authorization: { rules: [{ deny: 'mcp.tool.name == "secret"' }] },
    })
    const session = await openSession(gateway.url)
    await session.call('a__echo')
    await session.call('echo')
    await session.call('a__fails')
    await session.call('a__secret')
    await session.call('a__unknown')
    await session.request('prompts/get', { name: 'a__p' })
    await session.request('made/up')
    await session.request('tools/list')
    const modern = new ModernClient(gateway.url)
    await modern.call('a__echo')
    await (await openSession(`${gateway.url}/a`)).call('echo')

    const text = (await get(`${gateway.adminUrl}/metrics`)).text
    expect(text).toContain('# TYPE mcp_server_operation_duration_seconds histogram')
    const samples = samplesOf(text)
    const tool = { mcp_method_name: 'tools/call', gen_ai_tool_name: 'a__echo' }
    // By its bare name, by that of the target alone, and in either era it is one tool.
    expect(counted(samples, { ...tool, mcp_protocol_version: '2025-11-25' })).toBe(3)
    expect(counted(samples, { ...tool, mcp_protocol_version: '2026-07-28' })).toBe(1)
    expect(counted(samples, { gen_ai_tool_name: 'a__fails', error_type: 'tool_error' })).toBe(1)
    expect(counted(samples, { gen_ai_tool_name: 'a__secret', error_type: '-32602' })).toBe(1)
    expect(counted(samples, { gen_ai_tool_name: '_other', error_type: '-32602' })).toBe(1)
    expect(counted(samples, { gen_ai_prompt_name: 'a__p', mcp_junction_target: 'a' })).toBe(1)
    expect(counted(samples, { mcp_method_name: '_other', error_type: '-32601' })).toBe(1)
    expect(counted(samples, { mcp_method_name: 'initialize' })).toBe(2)
    expect(counted(samples, { mcp_junction_principal: 'anonymous' })).toBe(12)
    const buckets = samples
      .filter((it) => it.name === 'mcp_server_operation_duration_seconds_bucket')
      .map((it) => it.labels['le'])
    const bounds = '0.01 0.02 0.05 0.1 0.2 0.5 1 2 5 10 30 60 120 300 +Inf'
    expect([...new Set(buckets)].join(' ')).toBe(bounds)

    const { port } = new URL(upstream.url)
    const upstreamEcho = samples.find(
      (it) =>
        it.name === 'mcp_client_operation_duration_seconds_count' &&
        it.labels['gen_ai_tool_name'] === 'echo',
    )
    expect(upstreamEcho?.value).toBe(4)
    expect(upstreamEcho?.labels).toEqual({
      mcp_method_name: 'tools/call',
      gen_ai_tool_name: 'echo',
      gen_ai_operation_name: 'execute_tool',
      mcp_protocol_version: '2025-11-25',
      mcp_junction_target: 'a',
      network_transport: 'tcp',
      network_protocol_name: 'http',
      server_address: '127.0.0.1',
      server_port: port,
    })
    const own = samples.find(
      (it) =>
        it.name === 'mcp_junction_gateway_duration_seconds_count' &&
        it.labels['gen_ai_tool_name'] === 'a__echo',
    )
    expect(own?.value).toBe(4)
    expect(own?.labels).toEqual({ ...tool, mcp_junction_target: 'a' })
    const client = (outcome: string) =>
      samples
        .filter((it) => it.name === 'mcp_junction_client_operations_total')
        .filter((it) => it.labels['client'] === 'raw' && it.labels['outcome'] === outcome)
        .reduce((sum, { value }) => sum + value, 0)
    expect(client('denied')).toBe(1)
    expect(client('failed')).toBe(3)
    const bytes = samples.filter((it) => it.name === 'mcp_junction_transferred_bytes_total')
    expect(bytes.map((it) => it.value > 1_000)).toEqual([true, true])
    const denied = samples.find((it) => it.name === 'mcp_junction_denied_total')
    expect(denied?.labels).toEqual({
      kind: 'tool',
      name: 'secret',
      target: 'a',
      reason: 'rule',
      principal: 'anonymous',
    })
  })

  it('are those that are described, with the labels that are described', async () => {
    await using upstream = await startModern()
    await using gateway = await startGateway({
      admin: { port: 0 },
      targets: [{ name: 'a', mcp: { url: upstream.url }, guard: 'warn' }],
      attributes: [{ method: 'tools/call', path: 'params.arguments.x', as: 'x', metric: true }],
      limits: [{ rate: '1/1h' }],
    })
    const session = await openSession(gateway.url)
    await session.call('a__echo', { x: 1 })
    await session.call('a__echo', { x: 1 })
    await session.delete()
    const samples = await scrape(gateway.adminUrl)
    const described = new Map(
      Object.values(METRICS).map((it) => [
        prometheusName(it),
        it.labels.map((label) => label.replaceAll('.', '_').replace('<name>', 'x')),
      ]),
    )
    const odd = samples.flatMap(({ name, labels }) => {
      const base = name.replace(/_(bucket|sum|count)$/, '')
      const known = described.get(name) ?? described.get(base)
      if (known === undefined) return [name]
      return Object.keys(labels).filter((it) => it !== 'le' && !known.includes(it))
    })
    expect(odd).toEqual([])
    const names = new Set(samples.map((it) => it.name.replace(/_(bucket|sum|count)$/, '')))
    // What only happens in stories of their own.
    const elsewhere = ['denied_total', 'limit_store_up', 'source_up', 'variant_given_up']
    expect([...described.keys()].filter((it) => !names.has(it)).toSorted()).toEqual(
      elsewhere.map((it) => `mcp_junction_${it}`).toSorted(),
    )
    const limited = samples.find((it) => it.name === 'mcp_junction_limited_total')
    expect(limited?.labels).toEqual({ method: 'tools/call', target: 'a', reason: 'rate' })
    expect(counted(samples, { attribute_x: '1', gen_ai_tool_name: 'a__echo' })).toBe(2)
  })

  it('count sessions, streams and what lists were read for', async () => {
    await using upstream = await startEcho()
    await using gateway = await startGateway({
      admin: { port: 0 },
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
    })
    const session = await openSession(gateway.url)
    const stream = await session.listen()
    const value = async (name: string, labels: JsonObject = {}) =>
      (await scrape(gateway.adminUrl)).find(
        (it) =>
          it.name === name && Object.entries(labels).every(([key, it2]) => it.labels[key] === it2),
      )?.value
    expect(await value('mcp_junction_sessions', { era: 'legacy' })).toBe(1)
    expect(await value('mcp_junction_streams')).toBe(1)
    stream.close()
    const isClosed = async () => (await value('mcp_junction_streams')) === 0
    await waitUntil(isClosed, 'the stream to be gone')
    await session.delete()
    expect(await value('mcp_junction_sessions', { era: 'legacy' })).toBe(0)
    expect(await value('mcp_server_session_duration_seconds_count')).toBe(1)
    const refreshes = (reason: string) =>
      value('mcp_junction_catalog_refreshes_total', { target: 'a', reason, outcome: 'ok' })
    expect(await refreshes('connected')).toBe(1)
    await upstream.notifyListChanged('tools')
    await waitUntil(async () => (await refreshes('list_changed')) === 1, 'the list to be read')
    expect(await value('process_memory_usage_bytes')).toBeGreaterThan(1e6)
    expect(await value('nodejs_eventloop_delay_max_seconds')).toBeGreaterThanOrEqual(0)
  })

  it('say nothing of targets that are gone, and of reloads as soon as there is one', async () => {
    await using upstream = await startEcho()
    const targets = ['a', 'b'].map((name) => ({ name, mcp: { url: upstream.url } }))
    await using gateway = await startGateway({ admin: { port: 0 }, targets })
    const reloads = (outcome: string) =>
      metricOf(gateway, `mcp_junction_config_reloads_total{outcome="${outcome}"}`)
    // A series that begins with 1 has never risen, to Prometheus.
    expect(await reloads('applied')).toBe(0)
    expect(await reloads('refused')).toBe(0)
    const ofB = async () =>
      (await scrape(gateway.adminUrl)).filter((it) => it.labels['target'] === 'b')
    expect((await ofB()).map((it) => it.name)).toContain('mcp_junction_target_up')
    gateway.apply(configOf({ admin: { port: 0 }, targets: targets.slice(0, 1) }))
    const counters = (await ofB()).filter((it) => !it.name.endsWith('refreshes_total'))
    expect(counters).toEqual([])
    expect(await reloads('applied')).toBe(1)
    expect(await metricOf(gateway, 'mcp_junction_config_current')).toBe(1)
    gateway.noteRefusal()
    expect(await reloads('refused')).toBe(1)
    expect(await metricOf(gateway, 'mcp_junction_config_current')).toBe(0)
  })

  it('have bounded series, whatever ten thousand clients call themselves and ask for', async () => {
    await using upstream = await startEcho()
    await using gateway = await startGateway({
      admin: { port: 0 },
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
      telemetry: { metrics: { principals: 5 } },
      authentication: {
        mode: 'optional',
        apiKeys: Array.from({ length: 20 }, (_, id) => ({ name: `key-${id}`, key: keyOf(id) })),
      },
    })
    const client = new ModernClient(gateway.url)
    const hostile = (id: number) => `x${id}"} 1\n# evil{`
    const clientInfo = 'io.modelcontextprotocol/clientInfo'
    const ask = (id: number) => {
      const meta = { [clientInfo]: { name: hostile(id), version: '1' } }
      const headers = { authorization: `Bearer ${keyOf(id % 20)}` }
      return id % 2 === 0
        ? client.call(`x${id}`, {}, { meta, headers })
        : client.request(`made/up-${id}`, {}, { meta, headers })
    }
    for (let from = 0; from < 10_000; from += 20) {
      await Promise.all(Array.from({ length: 20 }, (_, index) => ask(from + index)))
    }
    const { text } = await get(`${gateway.adminUrl}/metrics`)
    const samples = samplesOf(text)
    expect(counted(samples, {})).toBe(10_000)
    const operations = samples.filter((it) => it.name.endsWith('operation_duration_seconds_count'))
    expect(operations.length).toBeLessThan(30)
    const values = (label: string) =>
      new Set(samples.map((it) => it.labels[label]).filter((it) => it !== undefined))
    expect(values('mcp_junction_principal').size).toBe(6)
    expect(values('client').size).toBe(101)
    expect(counted(samples, { gen_ai_tool_name: '_other' })).toBe(5_000)
    expect(counted(samples, { mcp_method_name: '_other' })).toBe(5_000)
    expect([...values('gen_ai_tool_name')]).toEqual(['_other'])
    expect(text.split('\n').filter((line) => line.startsWith('# evil'))).toEqual([])
  })

  it('are pushed to a collector where one is configured', async () => {
    const bodies: JsonObject[] = []
    const collector = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        if (request.url === '/v1/metrics' && request.headers['x-team'] === 'tools') {
          bodies.push(JSON.parse(Buffer.concat(chunks).toString()) as JsonObject)
        }
        response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
      })
    })
    await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve))
    const endpoint = `http://127.0.0.1:${(collector.address() as AddressInfo).port}/`
    await using upstream = await startEcho()
    const gateway = await startGateway({
      targets: [{ name: 'a', mcp: { url: upstream.url } }],
      telemetry: { otlp: { endpoint, protocol: 'http/json', headers: { 'X-Team': 'tools' } } },
    })
    await (await openSession(gateway.url)).call('a__echo')
    // What was measured last is sent at the end.
    await gateway.close()
    const text = JSON.stringify(bodies)
    expect(text).toContain('"mcp.server.operation.duration"')
    expect(text).toContain('"gen_ai.tool.name"')
    expect(text).toContain('"service.name"')
    expect(text).toContain('"mcp_junction_target_up"')
    await new Promise((resolve) => collector.close(resolve))
  })

  it('count what was turned away before it was anybody’s', async () => {
    await using gateway = await startGateway({ admin: { port: 0 }, targets: [] })
    const gone = { 'mcp-session-id': 'none' }
    await post(gateway.url, { jsonrpc: '2.0', id: 1, method: 'tools/list' }, gone)
    await post(gateway.url, initializeRequest())
    await post(gateway.url, { jsonrpc: '2.0', id: 1, method: 'initialize', params: {} })
    const samples = await scrape(gateway.adminUrl)
    expect(counted(samples, { mcp_method_name: 'tools/list', error_type: '-32600' })).toBe(1)
    expect(counted(samples, { mcp_method_name: 'initialize', error_type: '-32602' })).toBe(1)
  })
})

function keyOf(id: number): string {
  return `a-key-for-the-test-${id}`
}
