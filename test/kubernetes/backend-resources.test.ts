/** kgateway's and agentgateway's own resources, watched in a real API server: targets, paths of their own, status. */
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { Discovery, kubernetesSchema } from '../../discovery/index.js'
import { Cluster, describeWithCluster } from '../support/cluster.js'
import { AGENTGATEWAY, KGATEWAY } from '../support/crds.js'
import type { RunningGateway } from '../support/gateway.js'
import { startGateway } from '../support/gateway.js'
import { get, initializeRequest, openSession, post } from '../support/raw-client.js'
import { localService, portOf, servicesOf, targetNames, toolNames } from '../support/services.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

interface Condition {
  readonly type: string
  readonly status: string
  readonly reason: string
  readonly message: string
  readonly observedGeneration: number
}

const pathOf = (namespace: string, name: string): string =>
  `/apis/gateway.kgateway.dev/v1alpha1/namespaces/${namespace}/backends/${name}`

const backend = (name: string, mcp: JsonObject, type = 'MCP'): JsonObject => ({
  apiVersion: 'gateway.kgateway.dev/v1alpha1',
  kind: 'Backend',
  metadata: { name },
  spec: { type, mcp },
})

const agentgatewayBackend = (name: string, mcp: JsonObject, policies?: JsonObject): JsonObject => ({
  apiVersion: 'agentgateway.dev/v1alpha1',
  kind: 'AgentgatewayBackend',
  metadata: { name },
  spec: policies === undefined ? { mcp } : { mcp, policies },
})

const fixed = (name: string, url: string): JsonObject => ({
  name,
  static: { host: 'localhost', port: portOf(url), protocol: 'StreamableHTTP' },
})

describeWithCluster(
  'Backend resources',
  () => {
    let cluster: Cluster
    beforeAll(async () => {
      cluster = await Cluster.start()
    }, 120_000)
    afterAll(() => cluster[Symbol.asyncDispose]())

    const start = (namespace: string): Promise<RunningGateway> =>
      startGateway({
        admin: { port: 0 },
        kubernetes: { kubeconfig: cluster.kubeconfig, namespace, backends: 'namespace' },
        targets: [],
      })
    const become = (gateway: RunningGateway, names: string[]) =>
      waitUntil(
        () => JSON.stringify(targetNames(gateway)) === JSON.stringify(names),
        `the targets ${names.join()}`,
        30_000,
      )
    const conditionsOf = async (namespace: string, name: string): Promise<Condition[]> => {
      const { status } = await cluster.get(pathOf(namespace, name))
      return ((status as JsonObject | undefined)?.['conditions'] ?? []) as unknown as Condition[]
    }
    const condition = async (namespace: string, name: string, type: string) =>
      (await conditionsOf(namespace, name)).find((it) => it.type === type)

    it('may be installed while the gateway runs', async () => {
      const namespace = await cluster.namespace()
      await using gateway = await start(namespace)
      expect(gateway.readiness().sources).toHaveLength(2)
      await using upstream = await startEcho()
      await cluster.createAll([KGATEWAY, AGENTGATEWAY], namespace)
      const isKnown = () =>
        cluster.get(pathOf(namespace, '')).then(
          () => true,
          () => false,
        )
      await waitUntil(isKnown, 'the definitions to be known')
      await cluster.createAll([backend('b', { targets: [fixed('late', upstream.url)] })], namespace)
      await become(gateway, ['late'])
    })

    it('are virtual servers of their own, beside the whole, in all their forms', async () => {
      const namespace = await cluster.namespace()
      await using one = await startEcho()
      await using two = await startEcho()
      await cluster.create(servicesOf(namespace), localService('found', one.url))
      await cluster.create(servicesOf(namespace), localService('referred', two.url, { labels: {} }))
      const selected = { selectors: { serviceSelector: { matchLabels: { app: 'mcp' } } } }
      const reference = {
        name: 'by-name',
        static: { backendRef: { name: 'referred' }, port: portOf(two.url) },
      }
      await cluster.createAll(
        [
          backend('first', { targets: [selected] }),
          agentgatewayBackend('second', {
            targets: [
              { name: 's', selector: { services: { matchLabels: { app: 'mcp' } } } },
              reference,
            ],
            prefixMode: 'Conditional',
          }),
          agentgatewayBackend('bare', {
            targets: [fixed('lone', two.url)],
            prefixMode: 'Conditional',
          }),
          agentgatewayBackend('never', { targets: [fixed('lone', two.url)], prefixMode: 'Never' }),
          backend('other', { kind: 'AWS' }, 'AWS'),
        ],
        namespace,
      )
      await using gateway = await start(namespace)
      expect(targetNames(gateway)).toEqual(['by-name', 'found-mcp', 'lone'])
      const at = async (path: string) => toolNames(await openSession(`${gateway.url}${path}`))
      expect(await at('')).toEqual(['found-mcp__echo', 'lone__echo', 'by-name__echo'])
      expect(await at(`/${namespace}/first`)).toEqual(['found-mcp__echo'])
      expect(await at(`/${namespace}/second`)).toEqual(['found-mcp__echo', 'by-name__echo'])
      expect(await at(`/${namespace}/bare`)).toEqual(['echo'])
      expect(await at(`/${namespace}/never`)).toEqual(['echo'])
      const { status } = await post(`${gateway.url}/${namespace}/other`, initializeRequest())
      expect(status).toBe(404)

      const session = await openSession(`${gateway.url}/${namespace}/second`)
      const stream = await session.listen()
      await cluster.patch(servicesOf(namespace, 'found'), { metadata: { labels: { app: null } } })
      await stream.next('notifications/tools/list_changed')
      expect(await toolNames(session)).toEqual(['echo'])
      stream.close()
    })

    it('say what fails as they are told: the list, or the missing part alone', async () => {
      const namespace = await cluster.namespace()
      await using upstream = await startEcho()
      const targets = [fixed('up', upstream.url), fixed('down', 'http://localhost:1')]
      await cluster.createAll(
        [
          agentgatewayBackend('closed', { targets, failureMode: 'FailClosed' }),
          agentgatewayBackend('open', { targets, failureMode: 'FailOpen' }),
        ],
        namespace,
      )
      await using gateway = await start(namespace)
      const closed = await openSession(`${gateway.url}/${namespace}/closed`)
      expect((await closed.request('tools/list')).json).toMatchObject({ error: { code: -32603 } })
      const open = await openSession(`${gateway.url}/${namespace}/open`)
      expect(await toolNames(open)).toEqual(['up__echo'])
    })

    it('are told of in their status: accepted, resolved, found, reached', async () => {
      const namespace = await cluster.namespace()
      await using upstream = await startEcho()
      await cluster.createAll(
        [
          backend('good', { targets: [fixed('alpha', upstream.url)] }),
          backend('mixed', {
            targets: [
              fixed('beta', upstream.url),
              fixed('gamma', 'http://localhost:1'),
              { name: 'missing', static: { backendRef: { name: 'nobody' }, port: 80 } },
              { name: 'odd', static: { host: 'x', port: 80, protocol: 'Telepathy' } },
              { name: 'guarded', static: { host: 'x', port: 80, policies: { auth: {} } } },
            ],
          }),
          backend('malformed', { targets: 'all of them' }),
          {
            ...backend('guarded', { targets: [] }),
            spec: {
              type: 'MCP',
              mcp: { targets: [fixed('open', upstream.url)] },
              policies: { a: 1 },
            },
          },
        ],
        namespace,
      )
      await using gateway = await start(namespace)
      expect(targetNames(gateway)).toEqual(['alpha', 'beta', 'gamma'])
      const isReached = async () =>
        (await condition(namespace, 'good', 'Reachable'))?.status === 'True'
      await waitUntil(isReached, 'the status to say that it is reached')
      expect(await conditionsOf(namespace, 'good')).toMatchObject([
        { type: 'Accepted', status: 'True', reason: 'Accepted', observedGeneration: 1 },
        { type: 'ResolvedRefs', status: 'True' },
        { type: 'Discovered', status: 'True', message: '1 target; alpha: alpha' },
        { type: 'Reachable', status: 'True', message: '1 of 1 target reachable; alpha: 1 tool' },
      ])
      await cluster.delete(pathOf(namespace, 'good'))
      await become(gateway, ['beta', 'gamma'])
      await cluster.createAll(
        [backend('good', { targets: [fixed('alpha', upstream.url)] })],
        namespace,
      )
      await waitUntil(isReached, 'the status of the one made anew')
      const { json } = await get(`${gateway.adminUrl}/api/v1/targets`)
      expect(json['resources']).toContainEqual({
        resource: `Backend ${namespace}/good`,
        conditions: expect.arrayContaining([
          expect.objectContaining({ type: 'Reachable', status: 'True' }),
        ]) as unknown,
      })
      const isTried = async () =>
        (await condition(namespace, 'mixed', 'Reachable'))?.status === 'False'
      await waitUntil(isTried, 'the status to say that one is not reached')
      const [accepted, resolved, discovered, reachable] = await conditionsOf(namespace, 'mixed')
      expect(accepted).toMatchObject({ status: 'True', reason: 'PartiallyAccepted' })
      expect(accepted?.message).toMatch(
        /odd: static.protocol: .*guarded: static.policies is not supported/,
      )
      expect(resolved).toMatchObject({ status: 'False', reason: 'RefNotFound' })
      expect(resolved?.message).toBe('missing: there is no Service "nobody"')
      expect(discovered?.message).toMatch(/^2 targets; beta: beta; gamma: gamma; missing: none/)
      expect(reachable?.message).toMatch(
        /1 of 2 targets reachable; beta: 1 tool; gamma: the connection was refused/,
      )
      for (const name of ['malformed', 'guarded']) {
        const isWritten = async () => (await condition(namespace, name, 'Accepted')) !== undefined
        await waitUntil(isWritten, `the status of ${name}`)
        expect(await condition(namespace, name, 'Accepted')).toMatchObject({
          status: 'False',
          reason: 'Invalid',
        })
      }
      expect((await condition(namespace, 'guarded', 'Accepted'))?.message).toMatch(
        /spec.policies is not supported/,
      )

      await cluster.create(
        servicesOf(namespace),
        localService('nobody', upstream.url, { ports: [{ port: 80 }] }),
      )
      const isResolved = async () =>
        (await condition(namespace, 'mixed', 'ResolvedRefs'))?.status === 'True'
      await waitUntil(isResolved, 'the reference to be resolved')
      expect(targetNames(gateway)).toContain('missing')
    })

    it('whose status another controller writes keep what it wrote', async () => {
      const namespace = await cluster.namespace()
      await using upstream = await startEcho()
      await cluster.createAll(
        [backend('shared', { targets: [fixed('theirs', upstream.url)] })],
        namespace,
      )
      const theirs = {
        type: 'Accepted',
        status: 'False',
        reason: 'Theirs',
        message: 'of another controller',
        lastTransitionTime: '2026-01-01T00:00:00Z',
      }
      await cluster.patch(`${pathOf(namespace, 'shared')}/status`, {
        status: { conditions: [theirs] },
      })
      const settings = { kubeconfig: cluster.kubeconfig, namespace, backends: 'namespace' }
      const refused = new Promise<string>((resolve) => {
        const discovery = new Discovery(
          {
            settings: kubernetesSchema.parse(settings),
            selectors: [],
            resources: [],
            taken: new Set(),
          },
          {
            onSnapshot: () => undefined,
            onSource: () => undefined,
            onStatusRefused: (object, reason) => resolve(`${object}: ${reason}`),
          },
        )
        discovery.start()
        onTestFinished(() => discovery.close())
      })
      expect(await refused).toMatch(/^Backend .*\/shared: .*conflict/i)
      expect(await condition(namespace, 'shared', 'Accepted')).toMatchObject({ reason: 'Theirs' })
    })
  },
  'resources',
)
