/** A real server of 2024-11-05: the SDK's HTTP+SSE transport, which newer SDKs no longer have. */
import { Server } from '@modelcontextprotocol/sdk/server/index.js'
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js'
import type { IncomingHttpHeaders, Server as HttpServer } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { JsonObject } from '../../backends/index.js'
import type { Handler } from './upstream-server.js'

export class SseServer {
  readonly #handler: Handler
  readonly #transports = new Map<string, { server: Server; transport: SSEServerTransport }>()
  /** Headers of every HTTP request. */
  readonly headers: IncomingHttpHeaders[] = []
  #http: HttpServer | undefined
  #port = 0

  private constructor(handler: Handler) {
    this.#handler = handler
  }

  /** Has one tool, `tool`, answered by `handler`. */
  static async start(handler: Handler): Promise<SseServer> {
    const server = new SseServer(handler)
    await server.start()
    return server
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/sse`
  }

  get sessions(): number {
    return this.#transports.size
  }

  async start(): Promise<void> {
    const http = createServer((request, response) => {
      this.headers.push(request.headers)
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://host')
      if (request.method === 'GET' && pathname === '/sse') {
        const transport = new SSEServerTransport('/messages', response)
        const server = this.#server()
        this.#transports.set(transport.sessionId, { server, transport })
        response.on('close', () => this.#transports.delete(transport.sessionId))
        void server.connect(transport)
        return
      }
      const known = this.#transports.get(searchParams.get('sessionId') ?? '')
      if (request.method === 'POST' && pathname === '/messages' && known !== undefined) {
        void known.transport.handlePostMessage(request, response)
        return
      }
      response.writeHead(404).end()
    })
    await new Promise<void>((resolve) => http.listen(this.#port, '127.0.0.1', resolve))
    this.#port = (http.address() as AddressInfo).port
    this.#http = http
  }

  async notifyToolsChanged(): Promise<void> {
    const method = 'notifications/tools/list_changed'
    await Promise.all(
      [...this.#transports.values()].map((it) => it.server.notification({ method })),
    )
  }

  async kill(): Promise<void> {
    const http = this.#http
    this.#http = undefined
    http?.closeAllConnections()
    await new Promise((resolve) => (http === undefined ? resolve(undefined) : http.close(resolve)))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill()
  }

  #server(): Server {
    const server = new Server(
      { name: 'sse', version: '1' },
      { capabilities: { tools: { listChanged: true } } },
    )
    server.fallbackRequestHandler = async ({ method, params }, extra) => {
      if (method === 'tools/list')
        return { tools: [{ name: 'tool', inputSchema: { type: 'object' } }] }
      return this.#handler((params ?? {}) as JsonObject, extra)
    }
    return server
  }
}
