/**
 * A server of 2026-07-28 whose every byte the test decides: what it answers is data, and what it was sent, headers
 * included, is kept. Real servers of the SDK are in `test/contract`.
 */
import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { JsonObject } from '../../backends/index.js'
import { CHALLENGE } from './upstream-server.js'

const PREFIX = 'io.modelcontextprotocol/'

export interface Sent {
  readonly id: string | number
  readonly method: string
  readonly params: JsonObject
  readonly meta: JsonObject
  readonly headers: IncomingHttpHeaders
}

/** Gives a result; throws a `ModernError` for an error; writes to `response` itself and gives nothing. */
type Answer = (
  request: Sent,
  response: ServerResponse,
) => JsonObject | undefined | Promise<JsonObject | undefined>

export class ModernError extends Error {
  readonly rpcCode: number
  readonly status: number
  readonly data: JsonObject | undefined

  constructor(rpcCode: number, status = 200, data?: JsonObject) {
    super(`error ${rpcCode}`)
    this.rpcCode = rpcCode
    this.status = status
    this.data = data
  }
}

export interface ModernUpstreamOptions {
  readonly tools?: readonly JsonObject[]
  readonly resources?: readonly JsonObject[]
  readonly capabilities?: JsonObject
  /** Whom it lets in; others get 401. */
  readonly admits?: (headers: IncomingHttpHeaders) => boolean
  /** Added to every list. */
  readonly cache?: JsonObject
  /** Answers by method, before the lists above. */
  readonly handlers?: Readonly<Record<string, Answer>>
}

export class ModernUpstream {
  tools: readonly JsonObject[]
  readonly sent: Sent[] = []
  readonly #options: ModernUpstreamOptions
  readonly #listens = new Map<ServerResponse, Sent>()
  readonly #http = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8')
    request.on('data', (chunk: string) => (body += chunk))
    request.on('end', () => {
      if (request.method !== 'POST') return void response.writeHead(405).end()
      if (this.#options.admits?.(request.headers) === false) {
        return void response.writeHead(401, { 'www-authenticate': CHALLENGE }).end()
      }
      const { id, method, params } = JSON.parse(body) as Sent
      const { _meta: meta = {}, ...rest } = params
      const sent = { id, method, params: rest, meta: meta as JsonObject, headers: request.headers }
      this.sent.push(sent)
      void this.#answer(sent, response)
    })
  })

  constructor(options: ModernUpstreamOptions) {
    this.#options = options
    this.tools = options.tools ?? []
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}/mcp`
  }

  /** Streams that somebody listens to now. */
  get listens(): readonly Sent[] {
    return [...this.#listens.values()]
  }

  asked(method: string): readonly Sent[] {
    return this.sent.filter((it) => it.method === method)
  }

  async start(port = 0): Promise<this> {
    await new Promise<void>((resolve) => this.#http.listen(port, '127.0.0.1', resolve))
    return this
  }

  /** Says something to everybody who listens. */
  tell(method: string, params: JsonObject = {}): void {
    for (const [response, { id }] of this.#listens) {
      const tagged = { ...params, _meta: { [`${PREFIX}subscriptionId`]: id } }
      write(response, { method, params: tagged })
    }
  }

  /** Breaks the streams of those who listen. */
  cutListens(): void {
    for (const response of this.#listens.keys()) response.socket?.resetAndDestroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#http.closeAllConnections()
    await new Promise((resolve) => this.#http.close(resolve))
  }

  async #answer(sent: Sent, response: ServerResponse): Promise<void> {
    try {
      const result = await (this.#options.handlers?.[sent.method] ?? this.#default)(sent, response)
      if (result === undefined) return
      json(response, 200, { id: sent.id, result: { resultType: 'complete', ...result } })
    } catch (error) {
      if (!(error instanceof ModernError)) throw error
      const { rpcCode: code, message, data, status } = error
      const body = { code, message, ...(data === undefined ? {} : { data }) }
      json(response, status, { id: sent.id, error: body })
    }
  }

  readonly #default: Answer = (sent, response) => {
    const {
      cache = { ttlMs: 0, cacheScope: 'private' },
      resources = [],
      capabilities,
    } = this.#options
    switch (sent.method) {
      case 'server/discover':
        return {
          supportedVersions: ['2026-07-28'],
          capabilities: {
            tools: { listChanged: true },
            ...(resources.length > 0 ? { resources: { subscribe: true } } : {}),
            ...capabilities,
          },
          ttlMs: 0,
          cacheScope: 'private',
          _meta: { [`${PREFIX}serverInfo`]: { name: 'modern upstream', version: '1' } },
        }
      case 'tools/list':
        return { tools: [...this.tools], ...cache }
      case 'resources/list':
        return { resources: [...resources], ...cache }
      case 'resources/templates/list':
        return { resourceTemplates: [], ...cache }
      case 'subscriptions/listen': {
        const { notifications = {} } = sent.params
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        const _meta = { [`${PREFIX}subscriptionId`]: sent.id }
        write(response, {
          method: 'notifications/subscriptions/acknowledged',
          params: { notifications, _meta },
        })
        this.#listens.set(response, sent)
        response.on('close', () => this.#listens.delete(response))
        return undefined
      }
      default:
        throw new ModernError(-32601, 404)
    }
  }
}

/** Writes one message to an event stream. */
export function write(response: ServerResponse, message: JsonObject): void {
  response.write(`data: ${JSON.stringify({ jsonrpc: '2.0', ...message })}\n\n`)
}

export function startModern(options: ModernUpstreamOptions = {}): Promise<ModernUpstream> {
  return new ModernUpstream({
    tools: [{ name: 'echo', inputSchema: { type: 'object' } }],
    ...options,
  }).start()
}

function json(response: ServerResponse, status: number, message: JsonObject): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ jsonrpc: '2.0', ...message }))
}
