/**
 * A real Kubernetes API server for tests: `../shared/kubernetes/cluster`, or the binaries of KUBEBUILDER_ASSETS, or
 * whatever cluster KUBECONFIG_TEST points at. Where there is none of them, the tests are skipped and say so.
 */
import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:https'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { json } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { KubeConfig } from '@kubernetes/client-node'
import { describe } from 'vitest'
import type { JsonObject } from '../../backends/index.js'
import { waitUntil } from './wait-until.js'

const run = promisify(execFile)
const SHARED = fileURLToPath(new URL('../../../shared/kubernetes/cluster', import.meta.url))
const ASSETS = fileURLToPath(new URL('cluster-from-assets.sh', import.meta.url))
const { KUBECONFIG_TEST, KUBEBUILDER_ASSETS, KUBE_APISERVER, PATH } = process.env

/** Whether the API server is ours to stop and start, and to look into. */
export const IS_OURS = KUBECONFIG_TEST === undefined

/** Why there is no cluster to test against; `undefined` where there is one. */
function whyNoCluster(): string | undefined {
  if (KUBECONFIG_TEST !== undefined || KUBEBUILDER_ASSETS !== undefined) return undefined
  if (!existsSync(SHARED)) return 'no API server: set KUBEBUILDER_ASSETS or KUBECONFIG_TEST'
  const hasEtcd = (PATH ?? '').split(':').some((it) => existsSync(join(it, 'etcd')))
  return hasEtcd ? undefined : 'no etcd: apt-get install etcd-server'
}

/** Why custom resources cannot be tested there. */
function whyNoResources(): string | undefined {
  const isOther = KUBECONFIG_TEST ?? KUBEBUILDER_ASSETS ?? KUBE_APISERVER
  if (isOther !== undefined) return undefined
  return 'the shared API server ends at custom resources: KUBE_APISERVER=$(.ci/kube-apiserver)'
}

/** Tests against a real API server; where there is none, they are skipped, and their title says why. */
export function describeWithCluster(
  title: string,
  body: () => void,
  needs: 'services' | 'resources' = 'services',
): void {
  const reason = whyNoCluster() ?? (needs === 'resources' ? whyNoResources() : undefined)
  const titleNow = reason === undefined ? title : `${title} (skipped: ${reason})`
  // oxlint-disable-next-line vitest/valid-title -- it is the caller's
  describe.skipIf(reason !== undefined)(titleNow, () => {
    body()
  })
}

/** The same objects, as the API server of 1.20 knows them. */
const OLDER: Readonly<Record<string, readonly string[]>> = {
  'policy/v1': ['policy/v1beta1'],
  'autoscaling/v2': ['autoscaling/v2beta2'],
}

interface Rule {
  readonly verbs: readonly string[]
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
}

export class Cluster implements AsyncDisposable {
  readonly kubeconfig: string
  readonly #config = new KubeConfig()
  readonly #directory: string | undefined
  readonly #script: string
  readonly #env: NodeJS.ProcessEnv
  readonly #directories: string[] = []
  readonly #namespaces: string[] = []
  #names = 0

  private constructor(kubeconfig: string, directory?: string, script = '', env = {}) {
    this.kubeconfig = kubeconfig
    this.#directory = directory
    this.#script = script
    this.#env = env
    this.#config.loadFromFile(kubeconfig)
  }

  static async start(): Promise<Cluster> {
    if (KUBECONFIG_TEST !== undefined) return new Cluster(KUBECONFIG_TEST)
    const directory = await mkdtemp(join(tmpdir(), 'cluster-'))
    const script = KUBEBUILDER_ASSETS === undefined ? SHARED : ASSETS
    const [kube, etcd] = await freePorts()
    const env = { ...process.env, KUBE_PORT: String(kube), ETCD_PORT: String(etcd) }
    await run('bash', [script, 'up', directory], { env })
    return new Cluster(join(directory, 'kubeconfig'), directory, script, env)
  }

  /** The certificate with which the API server shows itself. */
  async certificate(): Promise<string> {
    return readFile(join(this.#directory ?? '', 'certs', 'apiserver.crt'), 'utf8')
  }

  get server(): string {
    return this.#config.getCurrentCluster()?.server ?? ''
  }

  /** A namespace that nobody else has. */
  async namespace(labels: Record<string, string> = {}): Promise<string> {
    const name = `t${process.pid}-${Date.now().toString(36)}-${++this.#names}`
    await this.create('/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels },
    })
    this.#namespaces.push(name)
    return name
  }

  async create(path: string, object: JsonObject): Promise<JsonObject> {
    return this.#ask('POST', path, object)
  }

  get(path: string): Promise<JsonObject> {
    return this.#ask('GET', path)
  }

  /** A merge patch. */
  patch(path: string, change: JsonObject): Promise<JsonObject> {
    return this.#ask('PATCH', path, change, 'application/merge-patch+json')
  }

  delete(path: string): Promise<JsonObject> {
    return this.#ask('DELETE', path)
  }

  /** As `kubectl create -f` does. Versions that an old API server lacks are written in the one that it has. */
  async createAll(objects: readonly JsonObject[], namespace: string): Promise<void> {
    for (const object of objects) {
      const [path, served] = await this.#placeOf(object, namespace)
      const creation = this.create(path, { ...object, apiVersion: served })
      // What belongs to no namespace may be there from another test of the same cluster.
      await creation.catch((error: unknown) => {
        if (path.includes('/namespaces/') || !String(error).includes(': 409 ')) throw error
      })
    }
  }

  /** A kubeconfig with a token of a ServiceAccount, as its pods have it. */
  async kubeconfigOf(namespace: string, account: string): Promise<string> {
    const { token } = await this.#tokenOf(namespace, account)
    const directory = await mkdtemp(join(tmpdir(), 'account-'))
    this.#directories.push(directory)
    const path = join(directory, 'kubeconfig')
    const cluster = { server: this.server, 'insecure-skip-tls-verify': true }
    await writeFile(
      path,
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'Config',
        clusters: [{ name: 'c', cluster }],
        users: [{ name: 'u', user: { token } }],
        contexts: [{ name: 'c', context: { cluster: 'c', user: 'u', namespace } }],
        'current-context': 'c',
      }),
    )
    return path
  }

  /** What a ServiceAccount may do in its namespace, as the API server says it. */
  async rulesOf(namespace: string, account: string): Promise<readonly Rule[]> {
    const config = new KubeConfig()
    config.loadFromFile(await this.kubeconfigOf(namespace, account))
    const path = '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews'
    const review = {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectRulesReview',
      spec: { namespace },
    }
    const { status } = await this.#ask('POST', path, review, 'application/json', config)
    return (status as unknown as { resourceRules: Rule[] }).resourceRules
  }

  async #tokenOf(namespace: string, account: string): Promise<{ token: string }> {
    const wanted = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      // Newer API servers fill this in.
      spec: { audiences: ['https://kubernetes.default.svc'], expirationSeconds: 3_600 },
    }
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`
    const { status } = await this.create(path, wanted)
    return status as { token: string }
  }

  /** `kill -9` of the API server; etcd keeps what it had. */
  async killApiServer(): Promise<readonly string[]> {
    const pid = await this.#apiServerPid()
    const commandLine = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0').slice(0, -1)
    process.kill(pid, 'SIGKILL')
    await waitUntil(
      () => !existsSync(`/proc/${pid}/cmdline`) || isZombie(pid),
      'the API server to die',
    )
    return commandLine
  }

  async restartApiServer([command = '', ...args]: readonly string[]): Promise<void> {
    const child = spawn(command, args, { stdio: 'ignore', detached: true })
    child.unref()
    this.#restarted = child.pid
    const isReady = () =>
      this.#ask('GET', '/readyz').then(
        () => true,
        () => false,
      )
    await waitUntil(isReady, 'the API server to be ready', 60_000)
  }

  #restarted: number | undefined

  async #apiServerPid(): Promise<number> {
    if (this.#restarted !== undefined) return this.#restarted
    return Number(await readFile(join(this.#directory ?? '', 'apiserver.pid'), 'utf8'))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const it of this.#directories) await rm(it, { recursive: true })
    if (this.#directory === undefined) {
      for (const name of this.#namespaces) await this.delete(`/api/v1/namespaces/${name}`)
      return
    }
    if (this.#restarted !== undefined) process.kill(this.#restarted, 'SIGKILL')
    await run('bash', [this.#script, 'down', this.#directory], { env: this.#env })
    await rm(this.#directory, { recursive: true, force: true })
  }

  /** Where objects of its kind are created, and the version to write it in. */
  async #placeOf(object: JsonObject, namespace: string): Promise<readonly [string, string]> {
    const { apiVersion, kind, metadata } = object as {
      apiVersion: string
      kind: string
      metadata: { namespace?: string }
    }
    const versions = [apiVersion, ...(OLDER[apiVersion] ?? [])]
    for (const version of versions) {
      const group = version.includes('/') ? `/apis/${version}` : `/api/${version}`
      const { resources = [] } = (await this.get(group).catch(() => ({}))) as {
        resources?: { name: string; kind: string; namespaced: boolean }[]
      }
      const found = resources.find((it) => it.kind === kind && !it.name.includes('/'))
      if (found === undefined) continue
      const where = found.namespaced ? `/namespaces/${metadata.namespace ?? namespace}` : ''
      return [`${group}${where}/${found.name}`, version]
    }
    throw new Error(`the cluster knows no ${kind} of ${apiVersion}`)
  }

  async #ask(
    method: string,
    path: string,
    body?: JsonObject,
    type = 'application/json',
    config = this.#config,
  ): Promise<JsonObject> {
    const options = { method, headers: { 'content-type': type } }
    await config.applyToHTTPSOptions(options)
    const answer = await new Promise<JsonObject>((resolve, reject) => {
      const sent = request(`${this.server}${path}`, options, (response) => {
        if (path === '/readyz') response.resume()
        const read = path === '/readyz' ? Promise.resolve({}) : json(response)
        const { statusCode = 0 } = response
        read.then((it) => {
          if (statusCode < 300) resolve(it as JsonObject)
          else reject(new Error(`${method} ${path}: ${statusCode} ${JSON.stringify(it)}`))
        }, reject)
      })
      sent.once('error', reject)
      sent.end(body === undefined ? undefined : JSON.stringify(body))
    })
    return answer
  }
}

async function isZombie(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') Z')
  return stat.includes(') Z')
}

/** For the API server, and for etcd with the one after it. */
async function freePorts(): Promise<readonly [number, number]> {
  for (;;) {
    const [kube, etcd] = await Promise.all([freePort(), freePort()])
    const next = await freePort(etcd + 1).catch(() => undefined)
    if (next !== undefined && kube !== next && kube !== etcd) return [kube, etcd]
  }
}

function freePort(wanted = 0): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(wanted, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
