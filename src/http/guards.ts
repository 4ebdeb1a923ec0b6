/**
 * Who may talk to us by name: `Host` and `Origin` are checked before anything else, because a web page can make a
 * browser send requests to a server on its user's own machine (DNS rebinding; 2025-11-25 basic/transports).
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { RefusedError } from './refusal.js'
import type { ListenSettings } from './settings.js'

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]', '::1'])

/** Whether an address can be reached from this machine alone. */
export function isLoopback(host: string): boolean {
  return LOOPBACK.has(host) || host.startsWith('127.')
}

const CORS_METHODS = 'GET, POST, DELETE'
const CORS_HEADERS =
  'Authorization, X-Api-Key, Content-Type, Accept, MCP-Protocol-Version, Mcp-Session-Id, Mcp-Method, Mcp-Name, Last-Event-ID'
/** Named by the tools of servers (2026-07-28 basic/transports, custom headers), so that no list could hold them. */
const CORS_PARAM = /^mcp-param-[a-z0-9-]{1,64}$/i
/** Several times what clients send behind proxies; far below where Node would leave headers out without a word. */
const MAX_HEADERS = 200
/**
 * What is said once or not at all: where it stands twice, Node takes one of them, and a proxy before us may have taken
 * the other (RFC 9112 §3.2 wants so of Host).
 */
const SAID_ONCE: ReadonlySet<string> = new Set([
  'host',
  'origin',
  'authorization',
  'x-api-key',
  'content-type',
  'content-encoding',
  'last-event-id',
  'mcp-session-id',
  'mcp-protocol-version',
  'mcp-method',
  'mcp-name',
])
/** Steps that URLs resolve: a proxy before us may have seen another path than we do. */
const DOT_SEGMENT = /^[^?#]*\/(?:\.|%2e){1,2}(?:[/?#]|$)/i
const CORS_EXPOSED = 'Mcp-Session-Id, WWW-Authenticate'

/**
 * Checks a request against the listener's settings.
 *
 * `Host`: on a loopback address, loopback names and `allowedHosts`; elsewhere `allowedHosts`, or any where there
 * are none. `Origin`: none (no browser), loopback ones on a loopback address, and `allowedOrigins`. What could be read in
 * two ways is refused.
 */
export class Guards {
  readonly #isLoopback: boolean
  readonly #hosts: ReadonlySet<string>
  readonly #origins: ReadonlySet<string>
  #lastAllowed: string | undefined
  readonly #hasPage: boolean

  /** `hasPage`: what is served here may ask for more, by whatever allowed name it was reached. */
  constructor(
    settings: Pick<ListenSettings, 'host' | 'allowedHosts' | 'allowedOrigins'>,
    hasPage = false,
  ) {
    this.#hasPage = hasPage
    this.#isLoopback = isLoopback(settings.host)
    this.#hosts = new Set(settings.allowedHosts.map((host) => host.toLowerCase()))
    this.#origins = new Set(settings.allowedOrigins.map((origin) => origin.toLowerCase()))
  }

  /** @throws RefusedError 400, 403; 431 for more headers than anybody needs */
  check(request: IncomingMessage): void {
    if (request.rawHeaders.length > 2 * MAX_HEADERS) {
      throw new RefusedError(431, `a request has at most ${MAX_HEADERS} headers`)
    }
    requireUnambiguous(request)
    const { host, origin } = request.headers
    // A proxy's form of request, whose host goes before the header (RFC 9112 §3.2.2).
    const { url = '' } = request
    const named = url.startsWith('/') ? undefined : /^https?:\/\/([^/?#]*)/i.exec(url)?.[1]
    if (!this.#allowsHost(host) || (named !== undefined && !this.#allowsHost(named))) {
      // RFC 9112 §3.2
      if (host !== undefined && hostName(host) === undefined) {
        throw new RefusedError(400, 'the Host header names no host')
      }
      throw new RefusedError(403, 'this Host is not allowed; add it to listen.allowedHosts')
    }
    const isOwn = this.#hasPage && origin?.replace(/^https?:\/\//, '') === host
    if (origin !== undefined && !isOwn && !this.#allowsOrigin(origin)) {
      throw new RefusedError(403, 'this Origin is not allowed; add it to listen.allowedOrigins')
    }
  }

  /**
   * Lets the page of an allowed origin read the answer. Returns true where the request was a preflight and is
   * answered.
   */
  answerCors(request: IncomingMessage, response: ServerResponse): boolean {
    const { origin } = request.headers
    if (origin === undefined) return false
    response.setHeader('access-control-allow-origin', origin)
    response.setHeader('access-control-expose-headers', CORS_EXPOSED)
    response.setHeader('vary', 'Origin')
    if (request.method !== 'OPTIONS') return false
    response.setHeader('access-control-allow-methods', CORS_METHODS)
    response.setHeader('access-control-allow-headers', allowedHeaders(request))
    response.setHeader('access-control-max-age', '7200')
    response.writeHead(204).end()
    return true
  }

  #allowsHost(host: string | undefined): boolean {
    // All say the same, as a rule.
    if (host !== undefined && host === this.#lastAllowed) return true
    const isAllowed = this.#judgesHost(host)
    if (isAllowed) this.#lastAllowed = host
    return isAllowed
  }

  #judgesHost(host: string | undefined): boolean {
    const name = host === undefined ? undefined : hostName(host)
    if (name === undefined) return false
    if (this.#hosts.has(name) || this.#hosts.has(host?.toLowerCase() ?? '')) return true
    return this.#isLoopback ? LOOPBACK.has(name) : this.#hosts.size === 0
  }

  #allowsOrigin(origin: string): boolean {
    if (this.#origins.has('*') || this.#origins.has(origin.toLowerCase())) return true
    if (!this.#isLoopback || !URL.canParse(origin)) return false
    const { protocol, hostname } = new URL(origin)
    return (protocol === 'http:' || protocol === 'https:') && LOOPBACK.has(hostname)
  }
}

function requireUnambiguous({ rawHeaders, headers, url = '' }: IncomingMessage): void {
  // As many names as headers: none stands twice. Looking at each would be the dearest of all that is checked here.
  if (2 * countOf(headers) < rawHeaders.length) requireSaidOnce(rawHeaders)
  if (/[.%]/.test(url) && DOT_SEGMENT.test(url))
    throw new RefusedError(400, 'the path must not step upwards')
}

function requireSaidOnce(rawHeaders: readonly string[]): void {
  const said = new Set<string>()
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]?.toLowerCase() ?? ''
    if (!SAID_ONCE.has(name)) continue
    if (said.has(name)) throw new RefusedError(400, `the ${name} header stands twice`)
    said.add(name)
  }
}

function countOf(object: object): number {
  let count = 0
  for (const _ in object) count++
  return count
}

function allowedHeaders(request: IncomingMessage): string {
  const asked = request.headers['access-control-request-headers'] ?? ''
  const params = asked.split(',').flatMap((name) => {
    const trimmed = name.trim()
    return CORS_PARAM.test(trimmed) ? [trimmed] : []
  })
  return [CORS_HEADERS, ...params].join(', ')
}

/** The name without its port, in lower case; `undefined` for what is no host. */
function hostName(host: string): string | undefined {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i.exec(host)
  // Not every name of such letters is a host, as 1.2.3.4.5 and xn--a, and addresses are made with it.
  return URL.canParse(`http://${host}`) ? match?.[1]?.toLowerCase() : undefined
}
