/** Services become targets by their labels, in a gateway that watches a real API server. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { Cluster, describeWithCluster } from '../support/cluster.js'
import type { RunningGateway } from '../support/gateway.js'
import { startGateway } from '../support/gateway.js'
import { openSession } from '../support/raw-client.js'
import {
  localService,
  MCP,
  service,
  servicesOf,
  targetNames,
  toolNames,
} from '../support/services.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const TOOLS_CHANGED = 'notifications/tools/list_changed'

describeWithCluster('Services', () => {
  let cluster: Cluster
  beforeAll(async () => {
    cluster = await Cluster.start()
  }, 120_000)
  afterAll(() => cluster[Symbol.asyncDispose]())

  const start = (namespace: string, ...selectors: JsonObject[]): Promise<RunningGateway> =>
    startGateway({
      kubernetes: { kubeconfig: cluster.kubeconfig, namespace },
      targets:
        selectors.length > 0
          ? selectors
          : [{ selectors: { serviceSelector: { matchLabels: { app: 'mcp' } } } }],
    })
  const become = (gateway: RunningGateway, names: string[]) =>
    waitUntil(
      () => JSON.stringify(targetNames(gateway)) === JSON.stringify(names),
      `the targets ${names.join()}`,
    )

  it('that are labelled are there within a second, and clients are told; unlabelled, they are gone', async () => {
    const namespace = await cluster.namespace()
    await using upstream = await startEcho()
    await using gateway = await start(namespace)
    const session = await openSession(gateway.url)
    const stream = await session.listen()
    await cluster.create(
      servicesOf(namespace),
      localService('search', upstream.url, { labels: {} }),
    )
    expect(await toolNames(session)).toEqual([])

    const labelledAt = Date.now()
    await cluster.patch(servicesOf(namespace, 'search'), { metadata: { labels: { app: 'mcp' } } })
    await stream.next(TOOLS_CHANGED)
    expect(Date.now() - labelledAt).toBeLessThan(1_000)
    expect(await toolNames(session)).toEqual(['search-mcp__echo'])
    expect((await session.call('search-mcp__echo', { a: 1 })).json).toMatchObject({
      result: { content: [{ text: '{"a":1}' }] },
    })

    const toldBefore = stream.messages.length
    await cluster.patch(servicesOf(namespace, 'search'), { metadata: { labels: { app: null } } })
    await waitUntil(() => stream.messages.length > toldBefore, 'the client to be told')
    expect(await toolNames(session)).toEqual([])
    expect((await session.call('search-mcp__echo')).json).toMatchObject({ error: { code: -32602 } })
    await waitUntil(() => upstream.sessions === 0, 'the sessions at the server to end')
    stream.close()
  })

  it('that are deleted finish what is running, and touch no other', async () => {
    const namespace = await cluster.namespace()
    let finish: () => void = () => undefined
    await using slow = await startEcho({
      handlers: {
        'tools/call': async () => {
          await new Promise<void>((resolve) => (finish = resolve))
          return { content: [{ type: 'text', text: 'done' }] }
        },
      },
    })
    await using other = await startEcho()
    await cluster.create(servicesOf(namespace), localService('slow', slow.url))
    await cluster.create(servicesOf(namespace), localService('other', other.url))
    await using gateway = await start(namespace)
    const session = await openSession(gateway.url)
    await session.call('other-mcp__echo')
    const sessionsBefore = other.initialized.length
    const call = session.call('slow-mcp__echo')
    await waitUntil(() => slow.asked('tools/call').length === 1, 'the call to arrive')
    await cluster.delete(servicesOf(namespace, 'slow'))
    await become(gateway, ['other-mcp'])
    expect(await toolNames(session)).toEqual(['other-mcp__echo'])
    finish()
    expect((await call).json).toMatchObject({ result: { content: [{ text: 'done' }] } })
    await session.call('other-mcp__echo')
    expect(other.initialized.length).toBe(sessionsBefore)
  })

  it('are selected by all four operators, in either spelling', async () => {
    const namespace = await cluster.namespace()
    const labels: Record<string, Record<string, string>> = {
      a: { app: 'mcp', tier: 'gold' },
      b: { app: 'mcp', tier: 'tin', hidden: '' },
      c: { app: 'mcp' },
      d: { tier: 'gold' },
    }
    for (const [name, its] of Object.entries(labels)) {
      await cluster.create(
        servicesOf(namespace),
        localService(name, 'http://localhost:1', { labels: its }),
      )
    }
    const select = (...matchExpressions: JsonObject[]) => ({ matchExpressions })
    const selected = async (entry: JsonObject): Promise<string> => {
      await using gateway = await start(namespace, entry)
      return targetNames(gateway)
        .map((it) => it.replace('-mcp', ''))
        .join('')
    }
    const services = (selector: JsonObject) => ({ selector: { services: selector } })
    expect(
      await selected(services(select({ key: 'tier', operator: 'In', values: ['gold', 'x'] }))),
    ).toBe('ad')
    expect(
      await selected(services(select({ key: 'tier', operator: 'NotIn', values: ['gold'] }))),
    ).toBe('bc')
    expect(await selected(services(select({ key: 'hidden', operator: 'Exists' })))).toBe('b')
    expect(await selected(services(select({ key: 'hidden', operator: 'DoesNotExist' })))).toBe(
      'acd',
    )
    const both = { matchLabels: { app: 'mcp' }, ...select({ key: 'tier', operator: 'Exists' }) }
    expect(await selected({ selectors: { serviceSelector: both } })).toBe('ab')
    expect(await selected(services({}))).toBe('abcd')
  })

  it('are those of the own namespace, unless namespaces are selected, whose labels may change too', async () => {
    const team = `team-${Date.now()}`
    const [own, near, far] = await Promise.all([
      cluster.namespace(),
      cluster.namespace({ team }),
      cluster.namespace(),
    ])
    for (const [name, namespace] of [
      ['own', own],
      ['near', near],
      ['far', far],
    ] as const) {
      await cluster.create(
        servicesOf(namespace),
        localService(name, 'http://localhost:1', { labels: { team } }),
      )
    }
    const serviceSelector = { matchLabels: { team } }
    await using alone = await start(own, { selectors: { serviceSelector } })
    expect(targetNames(alone)).toEqual(['own-mcp'])
    await using all = await start(own, { selectors: { serviceSelector, namespaceSelector: {} } })
    expect(targetNames(all)).toEqual(['far-mcp', 'near-mcp', 'own-mcp'])
    const namespaceSelector = { matchLabels: { team } }
    await using some = await start(own, { selectors: { serviceSelector, namespaceSelector } })
    expect(targetNames(some)).toEqual(['near-mcp'])
    await cluster.patch(`/api/v1/namespaces/${far}`, { metadata: { labels: { team } } })
    await become(some, ['far-mcp', 'near-mcp'])
    await cluster.patch(`/api/v1/namespaces/${near}`, { metadata: { labels: { team: null } } })
    await become(some, ['far-mcp'])
  })

  it('are treated as their entry says, and named and prefixed as their annotations say', async () => {
    const namespace = await cluster.namespace()
    await using upstream = await startEcho({
      tools: ['keep', 'drop'].map((name) => ({ name, inputSchema: { type: 'object' } })),
    })
    const annotations = {
      'agentgateway.dev/mcp-target-name': 'named',
      'mcp-junction.dev/prefix': 'p',
      'kgateway.dev/mcp-path': new URL(upstream.url).pathname,
    }
    await cluster.create(servicesOf(namespace), localService('x', upstream.url, { annotations }))
    await using gateway = await start(namespace, {
      name: 'all of them',
      selectors: { serviceSelector: {} },
      exclude: ['drop'],
    })
    expect(targetNames(gateway)).toEqual(['named'])
    const session = await openSession(gateway.url)
    expect(await toolNames(session)).toEqual(['p__keep'])
    expect(await toolNames(await openSession(`${gateway.url}/named`))).toEqual(['keep'])
  })

  it('that are wrong are reported with their names, one by one, and cost no other', async () => {
    const namespace = await cluster.namespace()
    await using upstream = await startEcho()
    const bad = (name: string, options: Parameters<typeof localService>[2]) =>
      cluster.create(servicesOf(namespace), localService(name, upstream.url, options))
    await bad('good', {})
    await bad('climber', { annotations: { 'mcp-junction.dev/path': '/../../admin' } })
    await bad('elsewhere', { annotations: { 'agentgateway.dev/mcp-path': '//evil.example/mcp' } })
    await bad('odd-name', { annotations: { 'mcp-junction.dev/name': 'Not/A/Name' } })
    await bad('odd-protocol', {
      ports: [{ name: 'mcp', port: 1, appProtocol: 'kgateway.dev/mpc' }],
    })
    await bad('misspelt', { annotations: { 'agentgateway.dev/mcp-http-path': '/x' } })
    await bad('long-'.padEnd(60, 'x'), {})
    await bad('twin', {
      ports: [
        { name: 'a', port: 1, appProtocol: MCP },
        { name: 'b', port: 2, appProtocol: MCP },
      ],
      annotations: { 'mcp-junction.dev/name': 'one' },
    })
    await bad('rival', { annotations: { 'mcp-junction.dev/name': 'taken' } })
    await bad('first', { annotations: { 'mcp-junction.dev/name': 'shared' } })
    await bad('second', { annotations: { 'mcp-junction.dev/name': 'shared' } })
    await cluster.create(servicesOf(namespace), service('plain', { ports: [{ port: 80 }] }))
    await cluster.create(
      servicesOf(namespace),
      service('no-ports', { spec: { type: 'ExternalName', externalName: 'example.com' } }),
    )
    await using gateway = await start(
      namespace,
      { selectors: { serviceSelector: { matchLabels: { app: 'mcp' } } } },
      { selectors: { serviceSelector: { matchLabels: { app: 'nothing' } } } },
      { name: 'taken', mcp: { url: upstream.url } },
    )
    expect(targetNames(gateway)).toEqual(['good-mcp', 'misspelt-mcp', 'taken'])
    const said = (object: string): string =>
      gateway
        .problems()
        .filter((it) => it.object === object)
        .map((it) => it.message)
        .join('\n')
    const about = (name: string): string => said(`Service ${namespace}/${name}`)
    expect(about('climber')).toMatch(/path is refused/)
    expect(about('elsewhere')).toMatch(/path is refused/)
    expect(about('odd-name')).toMatch(/name is refused.*agentgateway.dev\/mcp-target-name/)
    expect(about('odd-protocol')).toMatch(/kgateway.dev\/mpc is none of/)
    expect(about('misspelt')).toMatch(/agentgateway.dev\/mcp-http-path means nothing/)
    expect(about('long-'.padEnd(60, 'x'))).toMatch(/name is refused/)
    expect(about('twin')).toMatch(/"one" is also that of/)
    expect(about('rival')).toMatch(/"taken" is taken by a target of the configuration/)
    expect(about('first')).toContain(`"shared" is also that of Service ${namespace}/second`)
    expect(about('second')).toContain(`"shared" is also that of Service ${namespace}/first`)
    expect(about('plain')).toMatch(/no port says that it speaks MCP/)
    expect(about('no-ports')).toMatch(/it has no ports/)
    expect(about('good')).toBe('')
    expect(said(`services in ${namespace} (app=nothing)`)).toMatch(/matches no Service/)
    const session = await openSession(gateway.url)
    expect(await toolNames(session)).toContain('good-mcp__echo')

    await cluster.delete(servicesOf(namespace, 'second'))
    await become(gateway, ['good-mcp', 'misspelt-mcp', 'shared', 'taken'])
    expect(about('first')).toBe('')
  })

  it('that do not answer leave the gateway ready, and named as what is not', async () => {
    const namespace = await cluster.namespace()
    const silent = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void silent.close())
    await once(silent, 'listening')
    await using gateway = await start(namespace)
    const { port } = silent.address() as AddressInfo
    await cluster.create(servicesOf(namespace), localService('silent', `http://localhost:${port}`))
    await become(gateway, ['silent-mcp'])
    expect(gateway.readiness()).toMatchObject({ ready: true, targets: [{ ready: false }] })
  })

  it('that come back at their address are reconnected', async () => {
    const namespace = await cluster.namespace()
    await using upstream = await startEcho()
    await cluster.create(servicesOf(namespace), localService('a', upstream.url))
    await using gateway = await start(namespace)
    const session = await openSession(gateway.url)
    await upstream.kill()
    await waitUntil(() => gateway.readiness().targets[0]?.ready === false, 'the loss to be noticed')
    await upstream.start()
    await waitUntil(() => gateway.readiness().targets[0]?.ready === true, 'the return', 20_000)
    expect((await session.call('a-mcp__echo', { b: 2 })).json).toMatchObject({
      result: { content: [{ text: '{"b":2}' }] },
    })
  })
})
