/**
 * A real MCP server over Streamable HTTP: the SDK's low-level server, which leaves results as they are given, with
 * sessions and a GET stream. What it answers is data; what it was asked is kept.
 */
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import type { ServerNotification, ServerRequest } from '@modelcontextprotocol/sdk/types.js'
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js'
import { randomUUID } from 'node:crypto'
import type { IncomingHttpHeaders, Server as HttpServer } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { EventStore } from '../conformance/fixture-events.mjs'
import type { JsonObject } from '../../backends/index.js'

export interface Received {
  readonly method: string
  readonly params: JsonObject
  readonly sessionId: string | undefined
}

export type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>
export type Handler = (params: JsonObject, extra: Extra) => JsonObject | Promise<JsonObject>

export interface UpstreamOptions {
  readonly tools?: readonly JsonObject[]
  readonly prompts?: readonly JsonObject[]
  readonly resources?: readonly JsonObject[]
  readonly templates?: readonly JsonObject[]
  readonly completions?: boolean
  /** Added to those that follow from the lists, each replacing one of its name. */
  readonly capabilities?: JsonObject
  readonly instructions?: string
  /** Whom it lets in; others get 401 and a challenge. */
  readonly admits?: (headers: IncomingHttpHeaders) => boolean
  /** Numbers the events of streams, so that clients can come back for the rest. */
  readonly events?: { readonly retryMs: number }
  /** Answers by method, before the lists above. */
  readonly handlers?: Readonly<Record<string, Handler>>
}

/** Lists that tests change while the server runs. */
type Lists = Record<'tools' | 'prompts' | 'resources' | 'templates', readonly JsonObject[]>

const LIST_OF: Readonly<Record<string, readonly [keyof Lists, string]>> = {
  'tools/list': ['tools', 'tools'],
  'prompts/list': ['prompts', 'prompts'],
  'resources/list': ['resources', 'resources'],
  'resources/templates/list': ['templates', 'resourceTemplates'],
}

/** Of those who are not let in; nobody's but the gateway's to know. */
export const CHALLENGE = 'Bearer resource_metadata=upstream-challenge'

export class Upstream {
  readonly lists: Lists
  readonly received: Received[] = []
  /** The params of every `initialize`. */
  readonly initialized: JsonObject[] = []
  /** Headers of every HTTP request. */
  readonly headers: IncomingHttpHeaders[] = []
  readonly #options: UpstreamOptions
  readonly #sockets = new Set<Socket>()
  readonly #streams = new Set<Socket>()
  readonly #sessions = new Map<
    string,
    { server: Server; transport: StreamableHTTPServerTransport }
  >()
  #http: HttpServer | undefined
  #port = 0

  constructor(options: UpstreamOptions) {
    this.#options = options
    this.lists = {
      tools: options.tools ?? [],
      prompts: options.prompts ?? [],
      resources: options.resources ?? [],
      templates: options.templates ?? [],
    }
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/mcp`
  }

  get sessions(): number {
    return this.#sessions.size
  }

  /** GET streams opened so far and not cut. */
  get streams(): number {
    return this.#streams.size
  }

  /** The requests of one method so far. */
  asked(method: string): Received[] {
    return this.received.filter((it) => it.method === method)
  }

  async start(): Promise<this> {
    const http = createServer((request, response) => {
      this.headers.push(request.headers)
      if (this.#options.admits?.(request.headers) === false) {
        request.resume()
        response.writeHead(401, { 'www-authenticate': CHALLENGE }).end(`{"error":"${CHALLENGE}"}`)
        return
      }
      if (request.method === 'GET') this.#streams.add(request.socket)
      const id = request.headers['mcp-session-id']
      const known = typeof id === 'string' ? this.#sessions.get(id) : undefined
      if (id !== undefined && known === undefined) {
        response.writeHead(404).end()
        return
      }
      const transport = known === undefined ? this.#open() : Promise.resolve(known.transport)
      void transport.then((it) => it.handleRequest(request, response))
    })
    http.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
    await new Promise<void>((resolve) => http.listen(this.#port, '127.0.0.1', resolve))
    this.#port = (http.address() as AddressInfo).port
    this.#http = http
    return this
  }

  /** Tells every session that a list has changed. */
  async notifyListChanged(kind: 'tools' | 'prompts' | 'resources'): Promise<void> {
    const method = `notifications/${kind}/list_changed` as const
    await Promise.all([...this.#sessions.values()].map((it) => it.server.notification({ method })))
  }

  /** Tells every session that a resource has changed, subscribed to or not. */
  async notifyUpdated(uri: string): Promise<void> {
    const notification = { method: 'notifications/resources/updated', params: { uri } } as const
    await Promise.all(
      [...this.#sessions.values()].map((it) => it.server.notification(notification)),
    )
  }

  /** Sends a notification to every session, on its GET stream. */
  async notifyAll(method: string, params: JsonObject): Promise<void> {
    const message = { jsonrpc: '2.0', method, params } as const
    await Promise.all([...this.#sessions.values()].map((it) => it.transport.send(message)))
  }

  /** Breaks the GET streams; the sessions stay. */
  cutStreams(): void {
    for (const socket of this.#streams) socket.resetAndDestroy()
    this.#streams.clear()
  }

  /** As `kill -9` does: all connections break, and all sessions are forgotten. */
  async kill(): Promise<void> {
    const http = this.#http
    this.#http = undefined
    const closed = new Promise<void>((resolve) => http?.close(() => resolve()) ?? resolve())
    for (const socket of this.#sockets) socket.resetAndDestroy()
    this.#sessions.clear()
    await closed
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#http !== undefined) await this.kill()
  }

  async #open(): Promise<StreamableHTTPServerTransport> {
    const { lists } = this
    const { completions = false, capabilities: added, instructions, events } = this.#options
    const server = new Server(
      { name: 'upstream', version: '1' },
      {
        capabilities: {
          ...(this.#offers('tools', 'tools/call') ? { tools: { listChanged: true } } : {}),
          ...(this.#offers('prompts', 'prompts/get') ? { prompts: { listChanged: true } } : {}),
          ...(this.#offers('resources', 'resources/read') || lists.templates.length > 0
            ? { resources: { listChanged: true } }
            : {}),
          ...(completions ? { completions: {} } : {}),
          ...added,
        },
        ...(instructions === undefined ? {} : { instructions }),
      },
    )
    const transport: StreamableHTTPServerTransport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      ...(events === undefined
        ? {}
        : { eventStore: new EventStore(), retryInterval: events.retryMs }),
      onsessioninitialized: (id) => void this.#sessions.set(id, { server, transport }),
      onsessionclosed: (id) => void this.#sessions.delete(id),
    })
    // The SDK's own handlers would keep what tests want to see.
    server.removeNotificationHandler('notifications/progress')
    server.removeRequestHandler('logging/setLevel')
    server.oninitialized = () => {
      const capabilities = (server.getClientCapabilities() ?? {}) as JsonObject
      this.initialized.push({ capabilities })
    }
    server.fallbackRequestHandler = async ({ method, params }, extra) => {
      const asked = (params ?? {}) as JsonObject
      this.received.push({ method, params: asked, sessionId: extra.sessionId })
      const handler = this.#options.handlers?.[method]
      if (handler !== undefined) return handler(asked, extra)
      const list = LIST_OF[method]
      if (list !== undefined) return { [list[1]]: [...lists[list[0]]] }
      throw Object.assign(new Error(`Method not found: ${method}`), { code: -32601 })
    }
    server.fallbackNotificationHandler = async ({ method, params }) => {
      this.received.push({
        method,
        params: (params ?? {}) as JsonObject,
        sessionId: transport.sessionId,
      })
    }
    await server.connect(transport)
    return transport
  }

  #offers(list: keyof Lists, method: string): boolean {
    return this.lists[list].length > 0 || this.#options.handlers?.[method] !== undefined
  }
}

export function startUpstream(options: UpstreamOptions = {}): Promise<Upstream> {
  return new Upstream(options).start()
}

/** A server with one tool, `echo`, that gives back its arguments. */
export function startEcho(options: UpstreamOptions = {}): Promise<Upstream> {
  return startUpstream({
    tools: [{ name: 'echo', inputSchema: { type: 'object' } }],
    ...options,
    handlers: { 'tools/call': echo, ...options.handlers },
  })
}

/** Many of them at once, ended together. */
export async function startEchoes(
  count: number,
  options: UpstreamOptions = {},
): Promise<{ readonly servers: readonly Upstream[] } & AsyncDisposable> {
  const servers = await Promise.all(Array.from({ length: count }, () => startEcho(options)))
  return {
    servers,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(servers.map((it) => it[Symbol.asyncDispose]()))
    },
  }
}

export const echo: Handler = ({ arguments: given }) => ({
  content: [{ type: 'text', text: JSON.stringify(given ?? null) }],
})
