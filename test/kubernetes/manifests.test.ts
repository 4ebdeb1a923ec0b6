/** The manifests as users apply them: to a real API server, with a gateway that has the rights of its Role and no more. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { validate } from 'dockerfile-utils'
import type { JsonObject } from '../../backends/index.js'
import { loadConfig } from '../../src/config/load.js'
import { ConfigError } from '../../src/config/problems.js'
import type { Config } from '../../src/config/schema.js'
import type { Gateway } from '../../src/gateway.js'
import { startGateway as start } from '../../src/gateway.js'
import { createLogger } from '../../src/telemetry/logging.js'
import { Cluster, describeWithCluster, IS_OURS } from '../support/cluster.js'
import { KGATEWAY } from '../support/crds.js'
import type { Manifest } from '../support/manifests.js'
import { filesOf, NO_RENDERER, objectOf, objectsOf, renderChart } from '../support/manifests.js'
import { openSession } from '../support/raw-client.js'
import { localService, servicesOf, targetNames, toolNames } from '../support/services.js'
import { startEcho } from '../support/upstream-server.js'
import { waitUntil } from '../support/wait-until.js'

const SECRETS = '/etc/mcp-junction/secrets'
const EXPOSED = { 'mcp-junction.dev/expose': 'true' }

const base = async (): Promise<Manifest[]> => {
  const kustomization = await objectOf('base/kustomization.yaml')
  const files = kustomization['resources'] as string[]
  return (await Promise.all(files.map((it) => objectsOf(`base/${it}`)))).flat()
}
const find = (objects: readonly Manifest[], kind: string): Manifest => {
  const found = objects.find((it) => it.kind === kind)
  if (found === undefined) throw new Error(`no ${kind}`)
  return found
}

/** The configuration of a ConfigMap as a pod has it, with secrets from files. */
async function configOf(
  configMap: Manifest,
  change: (text: string) => string,
  secrets: Record<string, string> = {
    'session-key': Buffer.alloc(32, 7).toString('base64'),
    'admin-token': 'a-token-for-the-test',
  },
): Promise<Config> {
  const folder = await mkdtemp(join(tmpdir(), 'pod-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  for (const [name, text] of Object.entries(secrets)) await writeFile(join(folder, name), text)
  const { 'junction.yaml': text = '' } = configMap['data'] as Record<string, string>
  const file = join(folder, 'junction.yaml')
  await writeFile(file, change(text.replaceAll(SECRETS, folder)))
  const config = await loadConfig(file)
  return { ...config, listen: { ...config.listen, host: '127.0.0.1', port: 0 }, admin: false }
}

describe('the manifests', () => {
  it('are all among those that kustomize applies, but the Secret', async () => {
    const kustomization = await objectOf('base/kustomization.yaml')
    const files = await filesOf('base')
    expect(files.filter((it) => it !== 'kustomization.yaml')).toEqual(
      [...(kustomization['resources'] as string[]), 'secret.example.yaml'].toSorted(),
    )
  })

  it('have names, ports and keys that fit together', async () => {
    const objects = await base()
    const monitor = await objectOf('monitoring/servicemonitor.yaml')
    const secret = await objectOf('base/secret.example.yaml')
    const ports = (
      find(objects, 'Service')['spec'] as { ports: { name: string; targetPort: string }[] }
    ).ports
    const pod = (find(objects, 'Deployment')['spec'] as { template: { spec: JsonObject } }).template
      .spec
    const [container] = pod['containers'] as {
      ports: { name: string }[]
      volumeMounts: { mountPath: string }[]
    }[]
    expect(ports.map((it) => it.targetPort)).toEqual(container?.ports.map((it) => it.name))
    const [endpoint] = (
      monitor['spec'] as {
        endpoints: { port: string; authorization: { credentials: { key: string } } }[]
      }
    ).endpoints
    expect(ports.map((it) => it.name)).toContain(endpoint?.port)
    expect(Object.keys(secret['stringData'] as object)).toContain(
      endpoint?.authorization.credentials.key,
    )
    expect(container?.volumeMounts.map((it) => it.mountPath)).toContain(SECRETS)
  })

  it('do not start with the example’s secrets', async () => {
    const secret = (await objectOf('base/secret.example.yaml'))['stringData']
    const configMap = find(await base(), 'ConfigMap')
    const loading = configOf(configMap, (it) => it, secret as Record<string, string>)
    const error = await loading.catch((it: unknown) => it)
    expect(error).toBeInstanceOf(ConfigError)
    expect((error as ConfigError).problems.map((it) => it.path)).toEqual([
      'admin.token',
      'sessions.keys[0]',
    ])
  })

  it('have a Dockerfile that nothing can be said against', async () => {
    const text = await readFile(new URL('../../Dockerfile', import.meta.url), 'utf8')
    expect(validate(text)).toEqual([])
  })
})

describe.skipIf(NO_RENDERER !== undefined)(
  `the chart${NO_RENDERER === undefined ? '' : ` (skipped: ${NO_RENDERER})`}`,
  () => {
    it('says the same as the manifests', async () => {
      const chart = await renderChart()
      const said = (object: Manifest): JsonObject => {
        const { metadata, ...rest } = structuredClone(object)
        const text = JSON.stringify(rest)
          .replaceAll('"app.kubernetes.io/instance":"mcp-junction",', '')
          .replaceAll(',"app.kubernetes.io/instance":"mcp-junction"', '')
          .replaceAll(/,"app.kubernetes.io\/(version|managed-by)":"[^"]*"/g, '')
          .replaceAll(',"namespace":"mcp"', '')
        const plain = JSON.parse(text) as JsonObject
        if (object.kind === 'Deployment') delete (plain['spec'] as JsonObject)['replicas']
        if (object.kind === 'ConfigMap') delete plain['data']
        return { name: metadata.name, ...plain }
      }
      for (const object of await base()) {
        expect(said(find(chart, object.kind))).toEqual(said(object))
      }
      const theirs = await configOf(find(chart, 'ConfigMap'), (it) => it)
      const ours = await configOf(find(await base(), 'ConfigMap'), (it) => it)
      expect(theirs).toEqual(ours)
    }, 120_000)

    it('has the rights of the cluster-wide manifests where it is told so, and what values ask for', async () => {
      const chart = await renderChart({
        rbac: { allNamespaces: true, backends: true },
        serviceMonitor: { enabled: true },
        autoscaling: { enabled: false },
        secret: { existing: 'mine' },
        podAnnotations: { 'linkerd.io/inject': 'enabled' },
        config: { sessions: { idleTimeout: '1h' }, kubernetes: { backends: true } },
      })
      const wide = await objectsOf('cluster-wide/rbac.yaml')
      expect(find(chart, 'ClusterRole')['rules']).toEqual(find(wide, 'ClusterRole')['rules'])
      expect(chart.map((it) => it.kind)).not.toContain('Secret')
      expect(chart.map((it) => it.kind)).not.toContain('HorizontalPodAutoscaler')
      expect(JSON.stringify(find(chart, 'Deployment'))).toContain('"secretName":"mine"')
      expect(JSON.stringify(find(chart, 'Deployment'))).toContain('"linkerd.io/inject":"enabled"')
      expect(find(chart, 'ServiceMonitor')['spec']).toMatchObject({
        endpoints: [{ authorization: { credentials: { name: 'mine' } } }],
      })
      const config = await configOf(find(chart, 'ConfigMap'), (it) => it)
      expect(config.sessions).toMatchObject({ idleTimeoutMs: 3_600_000, keys: [expect.anything()] })
      expect(config.kubernetes.backends).toBe(true)
    }, 120_000)
  },
)

describeWithCluster('a gateway with the rights of its ServiceAccount', () => {
  let cluster: Cluster
  beforeAll(async () => {
    cluster = await Cluster.start()
  }, 120_000)
  afterAll(() => cluster[Symbol.asyncDispose]())

  const startAs = async (namespace: string, configMap: Manifest): Promise<Gateway> => {
    const kubeconfig = await cluster.kubeconfigOf(namespace, 'mcp-junction')
    const config = await configOf(configMap, (text) =>
      text.includes('kubernetes:')
        ? text.replace('kubernetes:', `kubernetes:\n  kubeconfig: ${kubeconfig}`)
        : `${text}\nkubernetes: { kubeconfig: ${kubeconfig} }\n`,
    )
    const gateway = await start(config, { logger: createLogger('silent') })
    onTestFinished(() => gateway.close())
    return gateway
  }
  /** What it may do, but for what everybody may who is known. */
  const rightsOf = async (namespace: string): Promise<string[]> => {
    const rules = await cluster.rulesOf(namespace, 'mcp-junction')
    return rules
      .flatMap(({ verbs, apiGroups, resources }) =>
        apiGroups.flatMap((group) => resources.map((it) => `${verbs.join()} ${group}/${it}`)),
      )
      .filter((it) => !it.includes('authorization.k8s.io/'))
      .toSorted()
  }

  it('of the base finds the Services of its namespace, and may do nothing else', async () => {
    const namespace = await cluster.namespace()
    const objects = await base()
    await cluster.createAll(
      [...objects, ...(await objectsOf('base/secret.example.yaml'))],
      namespace,
    )
    await cluster.createAll(await objectsOf('demo/mcp-server.yaml'), namespace)
    await using upstream = await startEcho()
    await cluster.create(
      servicesOf(namespace),
      localService('near', upstream.url, { labels: EXPOSED }),
    )
    const gateway = await startAs(namespace, find(objects, 'ConfigMap'))
    await waitUntil(() => targetNames(gateway).length === 2, 'the targets')
    expect(targetNames(gateway)).toEqual(['everything-mcp', 'near-mcp'])
    expect(gateway.readiness().sources).toEqual([
      { source: `services in ${namespace} (mcp-junction.dev/expose=true)`, ready: true },
    ])
    const session = await openSession(gateway.url)
    expect(await toolNames(session)).toEqual(['near-mcp__echo'])
    expect(await rightsOf(namespace)).toEqual(['get,list,watch /services'])
  })

  it.runIf(IS_OURS)(
    'of the cluster-wide overlay finds those of allowed namespaces, and may do nothing else',
    async () => {
      const namespace = 'mcp'
      const home = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }
      await cluster.createAll(
        [home, ...(await base()), ...(await objectsOf('cluster-wide/rbac.yaml'))],
        namespace,
      )
      const allowed = await cluster.namespace({ 'mcp-junction.dev/allowed': 'true' })
      const other = await cluster.namespace()
      await using upstream = await startEcho()
      for (const [name, where] of [
        ['yes', allowed],
        ['no', other],
      ] as const) {
        await cluster.create(
          servicesOf(where),
          localService(name, upstream.url, { labels: EXPOSED }),
        )
      }
      const configMap = await objectOf('cluster-wide/config.yaml')
      const gateway = await startAs(namespace, configMap)
      await waitUntil(() => targetNames(gateway).length > 0, 'the targets')
      expect(targetNames(gateway)).toEqual(['yes-mcp'])
      await waitUntil(() => gateway.readiness().ready, 'the gateway to be ready')
      expect(gateway.readiness().sources.every((it) => it.reason === undefined)).toBe(true)
      expect(await rightsOf(namespace)).toEqual([
        'get,list,watch /namespaces',
        'get,list,watch /services',
        'get,list,watch /services',
        'get,list,watch agentgateway.dev/agentgatewaybackends',
        'get,list,watch gateway.kgateway.dev/backends',
        'patch agentgateway.dev/agentgatewaybackends/status',
        'patch gateway.kgateway.dev/backends/status',
      ])
    },
  )

  it('serves what the guide of kgateway applies, as it is', async () => {
    const namespace = await cluster.namespace()
    await cluster.createAll(await objectsOf('kgateway/mcp-server.yaml'), namespace)
    const folder = await mkdtemp(join(tmpdir(), 'kgateway-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const guide = new URL('../../examples/kubernetes/kgateway/backend.yaml', import.meta.url)
    await writeFile(join(folder, 'backend.yaml'), await readFile(guide, 'utf8'))
    await writeFile(
      join(folder, 'junction.yaml'),
      JSON.stringify({
        admin: false,
        listen: { port: 0 },
        kubernetes: { kubeconfig: cluster.kubeconfig, namespace },
      }),
    )
    const gateway = await start(await loadConfig(folder), { logger: createLogger('silent') })
    onTestFinished(() => gateway.close())
    await waitUntil(() => targetNames(gateway).length > 0, 'the target')
    expect(targetNames(gateway)).toEqual(['mcp-website-fetcher-80'])
    await expect(openSession(`${gateway.url}/${namespace}/mcp-backend`)).resolves.toBeDefined()
  })
})

describeWithCluster(
  'the guide of kgateway, in the cluster alone',
  () => {
    it('becomes a virtual server, and reads so in its status', async () => {
      await using cluster = await Cluster.start()
      const namespace = await cluster.namespace()
      await cluster.createAll([KGATEWAY], namespace)
      const guide = [
        ...(await objectsOf('kgateway/mcp-server.yaml')),
        ...(await objectsOf('kgateway/backend.yaml')),
      ]
      await waitUntil(
        () =>
          cluster.createAll(guide.slice(-1), namespace).then(
            () => true,
            () => false,
          ),
        'the definition to be served',
      )
      await cluster.createAll(guide.slice(0, -1), namespace)
      const folder = await mkdtemp(join(tmpdir(), 'kgateway-'))
      onTestFinished(() => rm(folder, { recursive: true }))
      const file = join(folder, 'junction.json')
      const kubernetes = { kubeconfig: cluster.kubeconfig, namespace, backends: 'namespace' }
      await writeFile(file, JSON.stringify({ admin: false, listen: { port: 0 }, kubernetes }))
      const gateway = await start(await loadConfig(file), { logger: createLogger('silent') })
      onTestFinished(() => gateway.close())
      await waitUntil(() => targetNames(gateway).length > 0, 'the target')
      expect(targetNames(gateway)).toEqual(['mcp-website-fetcher-80'])
      const path = `/apis/gateway.kgateway.dev/v1alpha1/namespaces/${namespace}/backends/mcp-backend`
      const statusOf = async () => JSON.stringify((await cluster.get(path))['status'] ?? {})
      await waitUntil(async () => (await statusOf()).includes('1 target;'), 'the status')
    }, 90_000)
  },
  'resources',
)
