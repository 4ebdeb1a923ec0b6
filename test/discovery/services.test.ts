/** What a Service becomes: the rules of docs/kubernetes.md, one by one. */
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { targetsOfService, serviceSchema } from '../../discovery/kubernetes/service.js'
import { kubernetesSchema } from '../../discovery/kubernetes/settings.js'
import { targetSchema } from '../../backends/index.js'

interface Written {
  readonly annotations?: Record<string, string>
  readonly spec?: JsonObject
  readonly ports?: JsonObject[]
  readonly settings?: JsonObject
}

const OPTIONS = targetSchema.parse({ name: 'any', mcp: { url: 'http://any' } })
const { name: _, endpoint: __, prefix: ___, headers: ____, forward: _____, ...DEFAULTS } = OPTIONS

const mcp = (more: JsonObject = {}): JsonObject => ({
  name: 'http',
  port: 8080,
  appProtocol: 'agentgateway.dev/mcp',
  ...more,
})

function become({ annotations = {}, spec = {}, ports = [mcp()], settings = {} }: Written) {
  const service = serviceSchema.parse({
    metadata: { name: 'search', namespace: 'shop', annotations },
    spec: { clusterIP: '10.96.0.9', ports, ...spec },
  })
  const { targets, problems } = targetsOfService(
    service,
    undefined,
    DEFAULTS,
    kubernetesSchema.parse(settings),
  )
  return {
    targets: targets.map(({ name, prefix, endpoint }) => ({ name, prefix, endpoint })),
    urls: targets.map(({ endpoint }) => (endpoint.kind === 'http' ? endpoint.url : '')),
    names: targets.map((it) => it.name as string),
    problems,
  }
}

describe('a Service', () => {
  it.each([
    ['agentgateway.dev/mcp', 'streamable', '/mcp'],
    ['agentgateway.dev/mcp-sse', 'sse', '/sse'],
    ['kgateway.dev/mcp', 'streamable', '/mcp'],
    ['kgateway.dev/mcp-sse', 'sse', '/sse'],
  ])('with a port of appProtocol %s is a target', (appProtocol, protocol, path) => {
    const { targets, problems } = become({ ports: [mcp({ appProtocol })] })
    const url = `http://search.shop.svc.cluster.local:8080${path}`
    expect(targets).toEqual([
      { name: 'search-http', prefix: 'search-http', endpoint: { kind: 'http', url, protocol } },
    ])
    expect(problems).toEqual([])
  })

  it('is a target for each such port, named after the port, or its number', () => {
    const ports = [mcp(), { port: 9090, appProtocol: 'http' }, mcp({ name: 'more', port: 81 })]
    expect(become({ ports }).names).toEqual(['search-http', 'search-more'])
    const unnamed = { port: 7, appProtocol: 'kgateway.dev/mcp' }
    expect(become({ ports: [unnamed] }).names).toEqual(['search-7'])
  })

  it.each([
    ['agentgateway.dev/mcp-target-name', 'mcp-junction.dev/name'],
    ['agentgateway.dev/mcp-path', 'kgateway.dev/mcp-path'],
    ['kgateway.dev/mcp-path', 'mcp-junction.dev/path'],
  ])('heeds %s before %s', (first, second) => {
    const isName = first.includes('name')
    const values = isName ? ['one', 'two'] : ['/one', '/two']
    const { targets } = become({
      annotations: { [second]: values[1] ?? '', [first]: values[0] ?? '' },
    })
    expect(JSON.stringify(targets)).toContain('one')
    expect(become({ annotations: { [second]: values[1] ?? '' } }).urls.join()).toContain(
      isName ? 'search' : '/two',
    )
  })

  it('that cannot say appProtocol names its port by annotation', () => {
    const plain = [{ name: 'web', port: 80 }, { port: 3001 }]
    const by = (port: string, protocol?: string) =>
      become({
        ports: plain,
        annotations: {
          'mcp-junction.dev/port': port,
          ...(protocol === undefined ? {} : { 'mcp-junction.dev/protocol': protocol }),
        },
      })
    expect(by('3001').urls).toEqual(['http://search.shop.svc.cluster.local:3001/mcp'])
    expect(by('web', 'SSE').urls).toEqual(['http://search.shop.svc.cluster.local/sse'])
    expect(by('nope').problems).toMatchObject([
      { message: expect.stringMatching(/no port/) as string },
    ])
    expect(by('80', 'gRPC').problems).toMatchObject([
      { message: expect.stringMatching(/StreamableHTTP or SSE/) as string },
    ])
  })

  it('is reached at its name, its address, or the name outside that it stands for', () => {
    expect(become({ settings: { clusterDomain: 'corp.example' } }).urls).toEqual([
      'http://search.shop.svc.corp.example:8080/mcp',
    ])
    expect(become({ settings: { address: 'clusterIP' } }).urls).toEqual([
      'http://10.96.0.9:8080/mcp',
    ])
    expect(
      become({ settings: { address: 'clusterIP' }, spec: { clusterIP: 'fd00::9' } }).urls,
    ).toEqual(['http://[fd00::9]:8080/mcp'])
    const headless = { clusterIP: 'None' }
    expect(become({ settings: { address: 'clusterIP' }, spec: headless }).urls).toEqual([
      'http://search.shop.svc.cluster.local:8080/mcp',
    ])
    const external = { type: 'ExternalName', externalName: 'mcp.example.com' }
    expect(become({ spec: external }).urls).toEqual(['http://mcp.example.com:8080/mcp'])
    expect(become({ spec: external, settings: { externalNames: false } })).toMatchObject({
      urls: [],
      problems: [{ message: expect.stringMatching(/ExternalName are refused/) as string }],
    })
  })

  it.each([
    '',
    'mcp',
    '//evil.example/mcp',
    '/../admin',
    '/a/../../b',
    '/a/..',
    '/./a',
    '/mcp?x=1',
    '/mcp#x',
    '/%2e%2e/admin',
    '\\\\evil.example',
    '/a\nb',
    'http://evil.example/mcp',
    '/a//b',
    `/${'a'.repeat(1024)}`,
  ])('whose path is %j is refused', (path) => {
    const { urls, problems } = become({ annotations: { 'mcp-junction.dev/path': path } })
    expect(urls).toEqual([])
    expect(problems).toMatchObject([
      {
        object: 'Service shop/search',
        message: expect.stringMatching(/path is refused/) as string,
      },
    ])
  })

  it.each(['/', '/mcp/', '/v1/mcp', "/a-b_c.d~e!$&'()*+,;=:@"])('may have the path %s', (path) => {
    const { urls } = become({ annotations: { 'mcp-junction.dev/path': path } })
    expect(urls).toEqual([`http://search.shop.svc.cluster.local:8080${path}`])
  })

  it.each([
    ['agentgateway.dev/mcp-target-name', 'Upper'],
    ['agentgateway.dev/mcp-target-name', 'a.b'],
    ['mcp-junction.dev/name', '../x'],
    ['mcp-junction.dev/name', ''],
    ['mcp-junction.dev/prefix', 'a b'],
    ['mcp-junction.dev/prefix', 'x'.repeat(33)],
  ])('whose annotation %s is "%s" is refused, with no word of the value', (key, value) => {
    const { names, problems } = become({ annotations: { [key]: value } })
    expect(names).toEqual([])
    expect(problems).toHaveLength(1)
    expect(problems[0]?.message).toMatch(/is refused: expected/)
  })
})
