/**
 * The Kubernetes API as far as discovery needs it: pages of a list, a watch as a stream of lines, server-side apply.
 * Credentials, in a cluster or of a kubeconfig, are the client library's matter, and this is its only user. Its own
 * informer reads lists in one piece, waits for ever on a connection that has gone silent, and ends at the first error.
 */
import type { KubeConfig } from '@kubernetes/client-node'
import { existsSync } from 'node:fs'
import type { IncomingMessage, OutgoingHttpHeaders, RequestOptions } from 'node:http'
import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { json as readJson } from 'node:stream/consumers'
import { StringDecoder } from 'node:string_decoder'
import { z } from 'zod'
import type { KubernetesSettings } from './settings.js'

/** An answer that was not what was asked for. */
export class KubernetesError extends Error {
  readonly code = 'ERR_KUBERNETES'
  /** The HTTP status, or 0 where there was none. */
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.name = 'KubernetesError'
    this.status = status
  }
}

export type Query = Readonly<Record<string, string>>

export interface Page {
  readonly items: readonly unknown[]
  readonly resourceVersion: string
  /** Where the next page begins; absent at the end. */
  readonly next: string | undefined
}

const pageSchema = z.looseObject({
  metadata: z.looseObject({ resourceVersion: z.string(), continue: z.string().optional() }),
  items: z.array(z.unknown()).nullable().optional(),
})

const statusSchema = z.looseObject({ message: z.string() })

/** Until the head of an answer; a list of one page comes well within it. */
const ANSWER_MS = 15_000
/** No object of a cluster is larger: etcd takes none beyond 1.5 MiB. */
const MAX_LINE = 8 * 1024 * 1024
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount/token'

export class KubernetesApi {
  readonly #load: () => KubeConfig
  #config: KubeConfig

  private constructor(load: () => KubeConfig) {
    this.#load = load
    this.#config = load()
  }

  /** @throws Error where there are no usable settings of a cluster */
  static async open(settings: KubernetesSettings, root = ''): Promise<KubernetesApi> {
    // 0.3 s and 40 MB: only where it is needed.
    const library = await import('@kubernetes/client-node')
    return new KubernetesApi(() => loadKubeConfig(new library.KubeConfig(), settings, root))
  }

  /** The namespace of the pod or the context. */
  get namespace(): string {
    const { namespace = 'default' } =
      this.#config.getContextObject(this.#config.currentContext) ?? {}
    return namespace.trim()
  }

  /** @throws KubernetesError, or the error of the connection */
  async list(path: string, query: Query, signal: AbortSignal): Promise<Page> {
    const response = await this.#request('GET', path, query, signal)
    const page = pageSchema.safeParse(await readJson(response))
    if (!page.success) throw new KubernetesError(0, 'the API server sent no list')
    const { items, metadata } = page.data
    const { continue: next = '', resourceVersion } = metadata
    return { items: items ?? [], resourceVersion, next: next === '' ? undefined : next }
  }

  /**
   * Calls `onLine` with each event; resolves when the API server ends the stream, `onOpen` tells that it began.
   * @throws KubernetesError, or the error of the connection
   */
  async watch(
    path: string,
    query: Query,
    signal: AbortSignal,
    onOpen: () => void,
    onLine: (event: unknown) => void,
  ): Promise<void> {
    const response = await this.#request('GET', path, { ...query, watch: 'true' }, signal)
    onOpen()
    const decoder = new StringDecoder('utf8')
    let rest = ''
    for await (const chunk of response) {
      const lines = (rest + decoder.write(chunk as Buffer)).split('\n')
      rest = lines.pop() ?? ''
      if (rest.length > MAX_LINE) throw new KubernetesError(0, 'the API server sent no events')
      for (const line of lines) if (line !== '') onLine(JSON.parse(line))
    }
  }

  /**
   * Server-side apply, without taking fields from their owners.
   * @throws KubernetesError, 409 where they are somebody else's
   */
  async apply(path: string, manager: string, body: object, signal: AbortSignal): Promise<void> {
    const query = { fieldManager: manager, force: 'false' }
    const response = await this.#request('PATCH', path, query, signal, JSON.stringify(body))
    response.resume()
  }

  /** Resolves with the head of a good answer; its body can still be read. */
  async #request(
    method: string,
    path: string,
    query: Query,
    signal: AbortSignal,
    body?: string,
  ): Promise<IncomingMessage> {
    const { server } = this.#config.getCurrentCluster() ?? {}
    if (server === undefined) throw new KubernetesError(0, 'no cluster is chosen')
    const url = new URL(server.replace(/\/$/, '') + path)
    url.search = new URLSearchParams(query).toString()
    const headers: OutgoingHttpHeaders = { accept: 'application/json' }
    if (body !== undefined) headers['content-type'] = 'application/apply-patch+yaml'
    const options: RequestOptions = { method, signal, headers }
    await this.#config.applyToHTTPSOptions(options)
    const response = await send(url, options, body)
    const { statusCode = 0 } = response
    if (statusCode >= 200 && statusCode < 300) return response
    // A token that was rotated, or a certificate: the next request has what is there now.
    if (statusCode === 401) this.#config = this.#load()
    const status = statusSchema.safeParse(await readJson(response).catch(() => undefined))
    const message = status.success ? status.data.message : `HTTP status ${statusCode}`
    throw new KubernetesError(statusCode, message.slice(0, 500))
  }
}

function send(url: URL, options: RequestOptions, body?: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const open = url.protocol === 'https:' ? requestHttps : requestHttp
    const request = open(url, options, (response) => {
      clearTimeout(timer)
      resolve(response)
    })
    const timer = setTimeout(
      () => request.destroy(new KubernetesError(0, 'the API server does not answer')),
      ANSWER_MS,
    )
    request.once('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    request.end(body)
  })
}

/** The ServiceAccount of a pod first, so that nothing lying about in an image goes before it. */
function loadKubeConfig(
  config: KubeConfig,
  { kubeconfig, context }: KubernetesSettings,
  root: string,
): KubeConfig {
  const isInCluster =
    process.env['KUBERNETES_SERVICE_HOST'] !== undefined && existsSync(root + SERVICE_ACCOUNT)
  if (kubeconfig !== undefined) config.loadFromFile(kubeconfig)
  else if (isInCluster) config.loadFromCluster(root)
  else config.loadFromDefault()
  if (context !== undefined) {
    if (config.getContextObject(context) === null) {
      throw new KubernetesError(0, `the kubeconfig has no context "${context}"`)
    }
    config.setCurrentContext(context)
  }
  return config
}
