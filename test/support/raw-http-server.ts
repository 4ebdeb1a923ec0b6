/** Servers that misbehave: bare `node:http` on a free port, answering what no SDK would. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { JsonObject } from '../../backends/index.js'

export interface RawServer extends AsyncDisposable {
  readonly url: string
  readonly port: number
  /** Bodies of the requests so far, as they came. */
  readonly bodies: readonly string[]
}

type Answer = (message: JsonObject, response: ServerResponse, request: IncomingMessage) => void

export async function startRawHttp(answer: Answer): Promise<RawServer> {
  const bodies: string[] = []
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8')
    request.on('data', (chunk: string) => (body += chunk))
    request.on('end', () => {
      const message = body === '' ? {} : (JSON.parse(body) as JsonObject)
      if (body !== '') bodies.push(body)
      answer(message, response, request)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    port,
    bodies,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Answers `initialize` and the lists as a server with one tool, `bad`, and everything else by `misbehave`. */
export function startHostile(misbehave: Answer): Promise<RawServer> {
  return startRawHttp((message, response, request) => {
    if (request.method !== 'POST') return void response.writeHead(405).end()
    if (message['id'] === undefined) return void response.writeHead(202).end()
    switch (message['method']) {
      case 'initialize':
        response.setHeader('mcp-session-id', 'hostile')
        return answerJson(response, message, {
          protocolVersion: '2025-11-25',
          capabilities: { tools: {} },
          serverInfo: { name: 'hostile', version: '1' },
        })
      case 'tools/list':
        return answerJson(response, message, {
          tools: [{ name: 'bad', inputSchema: { type: 'object' } }],
        })
      case 'server/discover':
        response.writeHead(400).end()
        return
      case 'ping':
        return answerJson(response, message, {})
      default:
        misbehave(message, response, request)
    }
  })
}

export function answerJson(response: ServerResponse, { id }: JsonObject, result: JsonObject): void {
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ jsonrpc: '2.0', id, result }))
}
