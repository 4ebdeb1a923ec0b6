/** How a reflector follows a real API server: pages, ends of watches, versions too old, cuts, silence, missing rights. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { KubernetesApi } from '../../discovery/kubernetes/api.js'
import type { ListWatch, ReflectorTiming, Subject } from '../../discovery/kubernetes/reflector.js'
import { Reflector, TIMING } from '../../discovery/kubernetes/reflector.js'
import type { Service } from '../../discovery/kubernetes/service.js'
import { serviceSchema } from '../../discovery/kubernetes/service.js'
import type { KubernetesSettings } from '../../discovery/kubernetes/settings.js'
import { kubernetesSchema } from '../../discovery/kubernetes/settings.js'
import { Cluster, describeWithCluster, IS_OURS } from '../support/cluster.js'
import { service, servicesOf } from '../support/services.js'
import { TcpProxy } from '../support/tcp-proxy.js'
import { waitUntil } from '../support/wait-until.js'

const FAST: ReflectorTiming = { ...TIMING, firstPauseMs: 20, longestPauseMs: 200 }

interface Recorded extends ListWatch {
  readonly lists: Readonly<Record<string, string>>[]
  readonly watches: Readonly<Record<string, string>>[]
}

/** The real API, and what was asked of it. */
function recorded(api: KubernetesApi): Recorded {
  const lists: Recorded['lists'] = []
  const watches: Recorded['watches'] = []
  return {
    lists,
    watches,
    list: (path, query, signal) => {
      lists.push(query)
      return api.list(path, query, signal)
    },
    watch: (path, query, ...rest) => {
      watches.push(query)
      return api.watch(path, query, ...rest)
    },
  }
}

describeWithCluster('a reflector', () => {
  let cluster: Cluster
  beforeAll(async () => {
    cluster = await Cluster.start()
  }, 120_000)
  afterAll(() => cluster[Symbol.asyncDispose]())

  const settings = (more: object = {}): KubernetesSettings =>
    kubernetesSchema.parse({ kubeconfig: cluster.kubeconfig, ...more })
  const subjectOf = (namespace: string): Subject => ({
    kind: 'Service',
    title: `services in ${namespace}`,
    path: servicesOf(namespace),
    query: {},
    isOptional: false,
  })
  const follow = (api: ListWatch, subject: Subject, timing = FAST): Reflector<Service> => {
    const reflector = new Reflector(
      api,
      subject,
      (it) => serviceSchema.parse(it),
      () => undefined,
      timing,
    )
    reflector.start()
    onTestFinished(() => reflector.close())
    return reflector
  }
  const add = (namespace: string, name: string) =>
    cluster.create(servicesOf(namespace), service(name, {}))
  const names = (reflector: Reflector<Service>) =>
    [...(reflector.items?.keys() ?? [])].map((it) => it.split('/')[1] ?? '').toSorted()
  const has = (reflector: Reflector<Service>, ...wanted: string[]) =>
    waitUntil(() => names(reflector).join() === wanted.join(), `the services ${wanted.join()}`)
  const isCurrent = (reflector: Reflector<Service>) => () => reflector.currency.status === 'current'

  it('reads a list in pages, and goes on from its end', async () => {
    const namespace = await cluster.namespace()
    for (let index = 0; index < 25; index++) await add(namespace, `s${index}`)
    const api = recorded(await KubernetesApi.open(settings()))
    const reflector = follow(api, subjectOf(namespace), { ...FAST, pageSize: 10 })
    await waitUntil(isCurrent(reflector), 'the list')
    expect(names(reflector)).toHaveLength(25)
    expect(api.lists.map((it) => [it['limit'], it['continue'] !== undefined])).toEqual([
      ['10', false],
      ['10', true],
      ['10', true],
    ])
    await cluster.delete(servicesOf(namespace, 's3'))
    await waitUntil(() => !names(reflector).includes('s3'), 'the deletion')
    expect(api.lists).toHaveLength(3)
  })

  it('goes on after a watch that the server ended, without another list', async () => {
    const namespace = await cluster.namespace()
    const api = recorded(await KubernetesApi.open(settings()))
    const reflector = follow(api, subjectOf(namespace), { ...FAST, watchSeconds: 1 })
    await waitUntil(() => api.watches.length >= 3, 'three watches')
    await add(namespace, 'late')
    await has(reflector, 'late')
    expect(api.lists).toHaveLength(1)
    expect(reflector.currency.status).toBe('current')
  })

  it.runIf(IS_OURS)(
    'outlives the API server, and lists anew where its version is too old for the next one',
    async () => {
      const namespace = await cluster.namespace()
      await add(namespace, 'a')
      const api = recorded(await KubernetesApi.open(settings()))
      const reflector = follow(api, subjectOf(namespace))
      await has(reflector, 'a')
      // The store goes on while the watch hears nothing: a new API server knows no events from before its start.
      await cluster.namespace()
      const commandLine = await cluster.killApiServer()
      await waitUntil(() => reflector.currency.status === 'stale', 'the end to be noticed')
      expect(names(reflector)).toEqual(['a'])
      await cluster.restartApiServer(commandLine)
      await add(namespace, 'b')
      await has(reflector, 'a', 'b')
      expect(reflector.currency.status).toBe('current')
      expect(api.lists).toHaveLength(2)
    },
    90_000,
  )

  it('lists anew from time to time, whatever the watch says', async () => {
    const namespace = await cluster.namespace()
    const api = recorded(await KubernetesApi.open(settings()))
    follow(api, subjectOf(namespace), { ...FAST, watchSeconds: 1, relistMs: 1 })
    await waitUntil(() => api.lists.length >= 3, 'more lists')
  })

  it('keeps what it had while the network is cut, says so, and catches up without a list', async () => {
    const namespace = await cluster.namespace()
    await add(namespace, 'before')
    await using proxy = await TcpProxy.start(cluster.server)
    const kubeconfig = await kubeconfigAt(`https://127.0.0.1:${proxy.port}`)
    const api = recorded(await KubernetesApi.open(settings({ kubeconfig })))
    const reflector = follow(api, subjectOf(namespace))
    await has(reflector, 'before')
    proxy.cut()
    await waitUntil(() => reflector.currency.status === 'stale', 'the cut to be noticed')
    expect(reflector.currency).toMatchObject({ hasList: true })
    expect(reflector.currency).toHaveProperty('reason', expect.stringMatching(/cannot be reached/))
    await add(namespace, 'meanwhile')
    expect(names(reflector)).toEqual(['before'])
    proxy.mend()
    await has(reflector, 'before', 'meanwhile')
    expect(reflector.currency.status).toBe('current')
    expect(api.lists).toHaveLength(1)
  })

  it('gives up a connection on which nothing comes any more', async () => {
    const namespace = await cluster.namespace()
    await using proxy = await TcpProxy.start(cluster.server)
    const kubeconfig = await kubeconfigAt(`https://127.0.0.1:${proxy.port}`)
    const api = recorded(await KubernetesApi.open(settings({ kubeconfig })))
    const reflector = follow(api, subjectOf(namespace), { ...FAST, silenceMs: 500 })
    await waitUntil(() => api.watches.length === 1 && isCurrent(reflector)(), 'the watch')
    await add(namespace, 'first')
    await has(reflector, 'first')
    proxy.silence()
    await add(namespace, 'unheard')
    await has(reflector, 'first', 'unheard')
    expect(api.lists).toHaveLength(1)
  })

  it('names the right that is missing, keeps trying, and is current once it is granted', async () => {
    const namespace = await cluster.namespace()
    await add(namespace, 'a')
    const api = await KubernetesApi.open(settings({ context: 'gateway' }))
    const reflector = follow(api, subjectOf(namespace))
    await waitUntil(() => reflector.currency.status === 'stale', 'the refusal')
    expect(reflector.items).toBeUndefined()
    expect(reflector.currency).toHaveProperty(
      'reason',
      expect.stringMatching(
        /"gateway" cannot list resource "services".*namespace "t.*get, list and watch/,
      ),
    )
    const grant = (...verbs: string[]) => ({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata: { name: 'r' },
      rules: [{ apiGroups: [''], resources: ['services'], verbs }],
    })
    const roles = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`
    await cluster.create(`${roles}/roles`, grant('list'))
    await cluster.create(`${roles}/rolebindings`, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: 'r' },
      roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: 'r' },
      subjects: [{ kind: 'User', name: 'gateway', apiGroup: 'rbac.authorization.k8s.io' }],
    })
    const cannotWatch = () =>
      reflector.currency.status === 'stale' && reflector.currency.reason.includes('cannot watch')
    await waitUntil(cannotWatch, 'the list to be allowed')
    expect(names(reflector)).toEqual(['a'])
    await cluster.patch(`${roles}/roles/r`, { rules: grant('list', 'watch').rules })
    await waitUntil(isCurrent(reflector), 'the watch to be allowed')
    await add(namespace, 'b')
    await has(reflector, 'a', 'b')
  })

  it.runIf(IS_OURS)(
    'has the credentials of its pod, and the new ones when they are rotated',
    async () => {
      const namespace = await cluster.namespace()
      await add(namespace, 'a')
      const root = await mkdtemp(join(tmpdir(), 'pod-'))
      onTestFinished(() => rm(root, { recursive: true }))
      const secrets = join(root, 'var/run/secrets/kubernetes.io/serviceaccount')
      await mkdir(secrets, { recursive: true })
      await writeFile(join(secrets, 'namespace'), 'home-of-the-pod')
      await writeFile(join(secrets, 'ca.crt'), await cluster.certificate())
      await writeFile(join(secrets, 'token'), 'expired')
      const { hostname, port } = new URL(cluster.server)
      const before = { ...process.env }
      onTestFinished(() => void (process.env = before))
      Object.assign(process.env, {
        KUBERNETES_SERVICE_HOST: hostname,
        KUBERNETES_SERVICE_PORT: port,
      })
      const api = await KubernetesApi.open(kubernetesSchema.parse({}), root)
      expect(api.namespace).toBe('home-of-the-pod')
      const reflector = follow(api, subjectOf(namespace))
      await waitUntil(() => reflector.currency.status === 'stale', 'the refusal')
      expect(reflector.currency).toHaveProperty('reason', expect.stringMatching(/401/))
      await writeFile(join(secrets, 'token'), 'admin-token')
      await has(reflector, 'a')
    },
  )

  async function kubeconfigAt(server: string): Promise<string> {
    const directory = await mkdtemp(join(tmpdir(), 'kubeconfig-'))
    onTestFinished(() => rm(directory, { recursive: true }))
    const path = join(directory, 'kubeconfig')
    await writeFile(
      path,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [{ name: 'c', cluster: { server, 'insecure-skip-tls-verify': true } }],
        users: [{ name: 'u', user: { token: 'admin-token' } }],
        contexts: [{ name: 'c', context: { cluster: 'c', user: 'u' } }],
        'current-context': 'c',
      }),
    )
    return path
  }
})
