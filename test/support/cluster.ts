/**
 * A real Kubernetes API server for tests: `../shared/kubernetes/cluster`, or the binaries of KUBEBUILDER_ASSETS, or
 * whatever cluster KUBECONFIG_TEST points at. Where there is none of them, the tests are skipped and say so.
 */
import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
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

export class Cluster implements AsyncDisposable {
  readonly kubeconfig: string
  readonly #config = new KubeConfig()
  readonly #directory: string | undefined
  readonly #script: string
  readonly #env: NodeJS.ProcessEnv
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

  /** Whether the API server is ours to stop and start. */
  get isOurs(): boolean {
    return this.#directory !== undefined
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

  /** `kubectl apply`, server-side, of every document. */
  async apply(objects: readonly JsonObject[], namespace: string): Promise<void> {
    for (const object of objects) {
      await this.#ask(
        'PATCH',
        await this.#pathOf(object, namespace),
        object,
        'application/apply-patch+yaml',
      )
    }
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
    if (this.#directory === undefined) return
    if (this.#restarted !== undefined) process.kill(this.#restarted, 'SIGKILL')
    await run('bash', [this.#script, 'down', this.#directory], { env: this.#env })
    await rm(this.#directory, { recursive: true, force: true })
  }

  async #pathOf(object: JsonObject, namespace: string): Promise<string> {
    const { apiVersion, kind, metadata } = object as {
      apiVersion: string
      kind: string
      metadata: { name: string; namespace?: string }
    }
    const group = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
    const { resources } = (await this.get(group)) as {
      resources: { name: string; kind: string; namespaced: boolean }[]
    }
    const found = resources.find((it) => it.kind === kind && !it.name.includes('/'))
    if (found === undefined) throw new Error(`the cluster knows no ${kind} of ${apiVersion}`)
    const where = found.namespaced ? `/namespaces/${metadata.namespace ?? namespace}` : ''
    return `${group}${where}/${found.name}/${metadata.name}?fieldManager=test&force=true`
  }

  async #ask(
    method: string,
    path: string,
    body?: JsonObject,
    type = 'application/json',
  ): Promise<JsonObject> {
    const options = { method, headers: { 'content-type': type } }
    await this.#config.applyToHTTPSOptions(options)
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
