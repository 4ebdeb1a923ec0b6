/** The HTTP surface: Hono routes, Node's own request and response at the MCP endpoint. Read top to bottom. */
import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { Context } from 'hono'
import { Hono } from 'hono'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { McpEndpoint } from '../mcp/endpoint.js'
import type { SseEndpoint } from '../mcp/sse-endpoint.js'
import { MESSAGES_PATH, SSE_PATH } from '../mcp/sse-endpoint.js'
import type { Guards } from './guards.js'
import type { Readiness } from './health.js'
import { addHealth } from './health.js'
import { RefusedError, writeRefusal } from './refusal.js'

export interface AppParts {
  readonly path: string
  readonly guards: Guards
  readonly endpoint: McpEndpoint
  /** Where clients of 2024-11-05 are served. */
  readonly sseEndpoint: SseEndpoint | undefined
  readonly readiness: () => Readiness
}

type App = Hono<{ Bindings: HttpBindings }>

export function createApp({ path, guards, endpoint, sseEndpoint, readiness }: AppParts): App {
  const app: App = new Hono()

  addHealth(app, readiness)
  const guarded = async (
    { env: { incoming, outgoing } }: Context<{ Bindings: HttpBindings }>,
    serve: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
  ): Promise<Response> => {
    try {
      guards.check(incoming)
      if (!guards.answerCors(incoming, outgoing)) await serve(incoming, outgoing)
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error
      writeRefusal(outgoing, error)
    }
    return RESPONSE_ALREADY_SENT
  }
  app.all(path, (c) => guarded(c, (request, response) => endpoint.handle(request, response, '')))
  app.all(`${path}/:target`, (c) =>
    guarded(c, (request, response) =>
      endpoint.handle(request, response, c.req.param('target') ?? ''),
    ),
  )
  app.all(`${path}/:namespace/:name`, (c) =>
    guarded(c, (request, response) =>
      endpoint.handle(request, response, `${c.req.param('namespace')}/${c.req.param('name')}`),
    ),
  )
  if (sseEndpoint !== undefined) {
    app.get(SSE_PATH, (c) => guarded(c, (request, response) => sseEndpoint.open(request, response)))
    app.post(MESSAGES_PATH, (c) =>
      guarded(c, (request, response) =>
        sseEndpoint.post(request, response, c.req.query('sessionId') ?? ''),
      ),
    )
  }

  app.notFound((c) => c.json({ error: `nothing here; the MCP endpoint is ${path}` }, 404))
  return app
}
