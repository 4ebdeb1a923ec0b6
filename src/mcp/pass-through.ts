/**
 * Requests at a server's own path that are not MCP, where its target lets them through. For rules each is a resource of
 * that server, named by its path, used by the method `http`.
 */
import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http'
import { pipeline, Transform } from 'node:stream'
import { pipeline as piped } from 'node:stream/promises'
import type { Backend } from '../../backends/index.js'
import { resourceItem } from '../../federation/index.js'
import { toJsonRpcError } from '../errors.js'
import { tooLarge } from '../http/body.js'
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
 * @throws RefusedError 400, 404 where rules forbid it, 413, 502
 */
export async function passThrough(
  request: IncomingMessage,
  response: ServerResponse,
  backend: Backend,
  path: string,
  terms: Terms,
  maxBytes: number,
  body?: Buffer,
): Promise<void> {
  const at = pathAtServer(path, request.url ?? '')
  const item = resourceItem(backend.target, at, at)
  if (terms.permit?.allows(item, METHOD, { uri: at }) === false) {
    throw new RefusedError(404, 'there is nothing at this path')
  }
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes)
  const { method = 'GET', headers } = request
  const query = /\?[^#]*/.exec(request.url ?? '')?.[0] ?? ''
  const hasBody = method !== 'GET' && method !== 'HEAD'
  try {
    const answer = await backend.forward({
      method,
      path: path === '' ? '' : at + query,
      headers,
      body: body ?? (hasBody ? limited(request, maxBytes) : undefined),
      subject: terms.subject,
    })
    response.writeHead(answer.status, { ...chosenHeaders(answer.headers), ...HARMLESS })
    await piped(answer.body, response)
  } catch (error) {
    if (error instanceof RefusedError) throw error
    // The client has gone, or the server broke off: there is nobody, or nothing more, to tell.
    if (response.headersSent) return void response.destroy()
    const { message, rpcCode } = toJsonRpcError(error)
    throw new RefusedError(502, message, { rpcCode })
  }
}

/** What servers may take for a step of a path, or for its end, and rules do not. */
const READ_IN_TWO_WAYS = /%2f|%5c|%00|\\/i

/** What is behind the server's own path, its steps resolved as the server would. */
function pathAtServer(path: string, url: string): string {
  if (path === '') return url.replace(/[?#].*$/, '')
  if (READ_IN_TWO_WAYS.test(path)) {
    throw new RefusedError(400, 'the path could be read in two ways')
  }
  const resolved = new URL('http://server')
  resolved.pathname = path
  return resolved.pathname
}

function limited(request: IncomingMessage, maxBytes: number): Transform {
  let bytes = 0
  const within = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length
      if (bytes > maxBytes) done(tooLarge(maxBytes))
      else done(null, chunk)
    },
  })
  // Whoever reads it hears of its end, good or bad.
  return pipeline(request, within, () => undefined)
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
