/** The HTTP surface: Hono routes, Node's own request and response at the MCP endpoint. Read top to bottom. */
import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { Context } from 'hono'
import { Hono } from 'hono'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Access } from '../auth/access.js'
import { METADATA_PATH } from '../auth/access.js'
import type { Principal } from '../auth/principal.js'
import type { McpEndpoint } from '../mcp/endpoint.js'
import type { PeerVisit } from '../peers/peers.js'
import type { SseEndpoint } from '../mcp/sse-endpoint.js'
import { MESSAGES_PATH, noSession, SSE_PATH } from '../mcp/sse-endpoint.js'
import type { Addresses } from './addresses.js'
import type { Guards } from './guards.js'
import type { Readiness } from './health.js'
import { giveOrigin } from './origin.js'
import { addHealth } from './health.js'
import type { Overload } from './overload.js'
import { RefusedError, writeRefusal } from './refusal.js'

export interface AppParts {
  readonly access: Access
  readonly path: string
  readonly addresses: Addresses
  readonly guards: Guards
  readonly overload: Overload
  readonly endpoint: McpEndpoint
  /** Where clients of 2024-11-05 are served. */
  readonly sseEndpoint: SseEndpoint | undefined
  readonly readiness: () => Readiness
  /** A fault of ours. */
  readonly onInternalError: (error: unknown) => void
}

type Routes = Hono<{ Bindings: HttpBindings }>
type RouteContext = Context<{ Bindings: HttpBindings }>

export interface App extends Pick<Routes, 'fetch'> {
  /**
   * Takes a request for the MCP endpoint itself past the routes, which would cost as much as finding the owner of a call
   * and sending it there. Returns false for all others.
   */
  direct(request: IncomingMessage, response: ServerResponse): boolean
  /** Serves what another process has let in and given to this one, as whoever sent it. */
  given(request: IncomingMessage, response: ServerResponse, visit: PeerVisit): void
}

type Serve = (
  request: IncomingMessage,
  response: ServerResponse,
  principal: Principal,
) => Promise<void>

const INTERNAL_ERROR = { error: 'internal error in the gateway' }
const JSON_TYPE = { 'content-type': 'application/json' }
const METADATA_PREFLIGHT = {
  'access-control-allow-origin': '*',
  'access-control-allow-methods': 'GET',
  'access-control-allow-headers': '*',
  'access-control-max-age': '7200',
}

export function createApp({
  path,
  addresses,
  guards,
  overload,
  access,
  endpoint,
  sseEndpoint,
  readiness,
  onInternalError,
}: AppParts): App {
  const app: Routes = new Hono()

  addHealth(app, readiness)
  const answer = async (
    request: IncomingMessage,
    response: ServerResponse,
    serve: Serve,
  ): Promise<void> => {
    try {
      addresses.check(request)
      guards.check(request)
      if (guards.answerCors(request, response)) return
      overload.enter(request, response)
      const admitted = access.admit(request)
      await serve(request, response, admitted instanceof Promise ? await admitted : admitted)
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error
      writeRefusal(response, error)
    }
  }
  const guarded = ({ env: { incoming, outgoing } }: RouteContext, serve: Serve) =>
    answer(incoming, outgoing, serve).then(() => RESPONSE_ALREADY_SENT)
  const serveWhole: Serve = (request, response, principal) =>
    endpoint.handle(request, response, '', principal)
  // Read by browsers of any origin, before anybody has a token (RFC 9728 §3.1).
  const answerMetadata = (c: RouteContext): Response => {
    const suffix = c.req.path.slice(METADATA_PATH.length)
    const metadata = access.metadata(c.env.incoming, suffix)
    if (metadata === undefined) return c.json({ error: 'no such resource' }, 404)
    return c.json(metadata, 200, { 'access-control-allow-origin': '*' })
  }
  for (const at of [METADATA_PATH, `${METADATA_PATH}/*`]) {
    app.get(at, answerMetadata)
    // Clients send MCP-Protocol-Version along, which a browser asks about first.
    app.options(at, (c) => c.body(null, 204, METADATA_PREFLIGHT))
  }
  app.all(path, (c) => guarded(c, serveWhole))
  // A target, a namespace and a name, or what is behind a target that takes it.
  app.all(`${path}/*`, (c) => {
    const name = pathOf(c.env.incoming).slice(path.length + 1)
    if (name === '') return c.notFound()
    return guarded(c, (request, response, principal) =>
      endpoint.handle(request, response, name, principal),
    )
  })
  if (sseEndpoint !== undefined) {
    app.get(SSE_PATH, (c) =>
      guarded(c, (request, response, principal) => sseEndpoint.open(request, response, principal)),
    )
    app.post(MESSAGES_PATH, (c) =>
      guarded(c, (request, response, principal) =>
        sseEndpoint.post(request, response, c.req.query('sessionId') ?? '', principal),
      ),
    )
  }

  // Hono's own way is to print it.
  app.onError((error, c) => {
    onInternalError(error)
    return c.json(INTERNAL_ERROR, 500)
  })
  app.notFound((c) => c.json({ error: `nothing here; the MCP endpoint is ${path}` }, 404))
  return {
    fetch: app.fetch,
    direct: (request, response) => {
      if (request.url !== path) return false
      answer(request, response, serveWhole).catch((error: unknown) => {
        onInternalError(error)
        if (response.headersSent) response.destroy()
        else response.writeHead(500, JSON_TYPE).end(JSON.stringify(INTERNAL_ERROR))
      })
      return true
    },
    given: (request, response, { name, principal, origin, toldBy, postedFor }) => {
      giveOrigin(request, origin)
      // As the client knows it: what it is told of where to get a token says so.
      request.url = name === '' ? path : `${path}/${name}`
      try {
        overload.enter(request, response)
      } catch (error) {
        if (!(error instanceof RefusedError)) throw error
        return writeRefusal(response, error)
      }
      if (postedFor !== undefined) {
        if (sseEndpoint === undefined) return writeRefusal(response, noSession())
        void sseEndpoint.post(request, response, postedFor, principal, 'given')
        return
      }
      void endpoint.handle(request, response, name, principal, { toldBy })
    },
  }
}

/** As it was sent: what is passed on must not be decoded on the way. */
function pathOf({ url = '/' }: IncomingMessage): string {
  return url.replace(/^https?:\/\/[^/]*/i, '').replace(/[?#].*$/s, '')
}
