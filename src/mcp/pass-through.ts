/**
 * Requests at a server's own path that are not MCP, where its target lets them through. For rules each is a resource of
 * that server, named by its path, used by the method `http`.
 */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream/promises'
import type { Backend, Target } from '../../backends/index.js'
import { resourceItem } from '../../federation/index.js'
import { toJsonRpcError } from '../errors.js'
import type { BodyHolder } from '../http/body.js'
import { readBody } from '../http/body.js'
import { RefusedError } from '../http/refusal.js'
import type { Terms } from './terms.js'

/** How rules and logs call it. */
const METHOD = 'http'

/** What of an answer is about its body. The rest, cookies and challenges among it, would speak for the gateway. */
const ANSWER_HEADERS = [
  'content-type',
  'content-length',
  'content-encoding',
  'content-language',
  'content-range',
  'content-disposition',
  'cache-control',
  'etag',
  'expires',
  'last-modified',
  'accept-ranges',
  'vary',
  'retry-after',
  'allow',
]

/** Whatever page a server sends is at the gateway's origin, and must not act there. */
const HARMLESS = { 'content-security-policy': 'sandbox', 'x-content-type-options': 'nosniff' }

/** Whether a request is of the protocol, as far as its head says. */
export function looksLikeMcp({ method, headers }: IncomingMessage): boolean {
  if (headers['mcp-session-id'] !== undefined) return true
  if (headers['mcp-protocol-version'] !== undefined) return true
  if (method === 'GET') return headers.accept?.includes('text/event-stream') === true
  return method === 'POST' && headers['content-type']?.startsWith('application/json') === true
}

/**
 * Passes a request on and its answer back. `path` is that at the server, '' for the server's own address; `body` what
 * was read already.
 * @throws RefusedError 400, 404 where rules forbid it, 413, 415 for what is MCP, 502; what the holder throws
 */
export async function passThrough(
  request: IncomingMessage,
  response: ServerResponse,
  backend: Backend,
  path: string,
  terms: Terms,
  maxBytes: number,
  holder: BodyHolder,
  body?: Buffer,
): Promise<void> {
  const at = path === '' ? ownPath(backend.target) : pathAtServer(path)
  const item = resourceItem(backend.target, at, at)
  if (terms.permit?.allows(item, METHOD, { uri: at }) === false) {
    throw new RefusedError(404, 'there is nothing at this path')
  }
  const { method = 'GET', headers } = request
  const query = /\?[^#]*/.exec(request.url ?? '')?.[0] ?? ''
  const hasBody = method !== 'GET' && method !== 'HEAD'
  const given = body ?? (hasBody ? await readBody(request, maxBytes, holder) : undefined)
  if (given !== undefined) requireForeign(request, given)
  try {
    const answer = await backend.forward({
      method,
      path: path === '' ? '' : at + query,
      headers,
      body: given,
      subject: terms.subject,
    })
    response.writeHead(answer.status, { ...chosenHeaders(answer.headers), ...HARMLESS })
    await pipeline(answer.body, response)
  } catch (error) {
    // The client has gone, or the server broke off: there is nobody, or nothing more, to tell.
    if (response.headersSent) return void response.destroy()
    const { message, rpcCode } = toJsonRpcError(error)
    throw new RefusedError(502, message, { rpcCode })
  }
}

function ownPath({ endpoint }: Target): string {
  return endpoint.kind === 'http' ? new URL(endpoint.url).pathname : ''
}

/** What servers may take for a step of a path, or for its end, and rules do not. */
const READ_IN_TWO_WAYS = /%2f|%5c|%00|\\/i

/** What is behind the server's own path, its steps resolved as the server would. */
function pathAtServer(path: string): string {
  if (READ_IN_TWO_WAYS.test(path)) {
    throw new RefusedError(400, 'the path could be read in two ways')
  }
  const resolved = new URL('http://server')
  resolved.pathname = path
  return resolved.pathname
}

/**
 * MCP goes by the way on which tools have rules, limits and scopes, and by no other: whatever path or type it is sent with,
 * and in whatever form a server might still read it.
 * @throws RefusedError 415
 */
function requireForeign({ headers }: IncomingMessage, body: Buffer): void {
  const { 'content-encoding': encoding = 'identity', 'content-type': type = '' } = headers
  if (encoding !== 'identity') throw new RefusedError(415, 'the body must not be encoded')
  if (/charset\s*=\s*["']?(?!utf-?8\b)/i.test(type)) throw new RefusedError(415, 'use UTF-8')
  let value: unknown
  try {
    value = JSON.parse(body.toString('utf8').replace(/^\ufeff/, ''))
  } catch {
    // No JSON, so no JSON-RPC.
    return
  }
  const isMcp = (Array.isArray(value) ? value : [value]).some(
    (it: unknown) => typeof it === 'object' && it !== null && 'method' in it,
  )
  if (isMcp) {
    throw new RefusedError(415, 'MCP is spoken at the path of the server, as application/json')
  }
}

function chosenHeaders(
  headers: Readonly<Record<string, string | string[] | undefined>>,
): OutgoingHttpHeaders {
  const chosen = ANSWER_HEADERS.flatMap((name) => {
    const value = headers[name]
    return value === undefined ? [] : [[name, value] as const]
  })
  return Object.fromEntries(chosen)
}
