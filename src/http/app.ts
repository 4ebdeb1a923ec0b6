/** The HTTP surface: Hono routes, Node's own request and response at the MCP endpoint. Read top to bottom. */
import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { Context } from 'hono'
import { Hono } from 'hono'
import type { McpEndpoint } from '../mcp/endpoint.js'
import type { Guards } from './guards.js'
import { RefusedError, writeRefusal } from './refusal.js'

export interface Readiness {
  readonly ready: boolean
  readonly targets: readonly {
    readonly target: string
    readonly ready: boolean
    readonly reason?: string
  }[]
}

export interface AppParts {
  readonly path: string
  readonly guards: Guards
  readonly endpoint: McpEndpoint
  readonly readiness: () => Readiness
}

type App = Hono<{ Bindings: HttpBindings }>

export function createApp({ path, guards, endpoint, readiness }: AppParts): App {
  const app: App = new Hono()

  // Probes come by address, from kubelets and load balancers: they tell nothing and need no Host.
  app.get('/healthz', (c) => c.json({ status: 'ok' }))
  app.get('/readyz', (c) => {
    const report = readiness()
    return c.json(report, report.ready ? 200 : 503)
  })

  const serve = async (c: Context<{ Bindings: HttpBindings }>, name: string): Promise<Response> => {
    const { incoming, outgoing } = c.env
    try {
      guards.check(incoming)
      if (!guards.answerCors(incoming, outgoing)) await endpoint.handle(incoming, outgoing, name)
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error
      writeRefusal(outgoing, error)
    }
    return RESPONSE_ALREADY_SENT
  }
  app.all(path, (c) => serve(c, ''))
  app.all(`${path}/:target`, (c) => serve(c, c.req.param('target') ?? ''))

  app.notFound((c) => c.json({ error: `nothing here; the MCP endpoint is ${path}` }, 404))
  return app
}
