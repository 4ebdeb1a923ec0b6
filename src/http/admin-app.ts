/** The HTTP surface for those who run the gateway: metrics and state. Nothing here is meant for clients. */
import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { Hono } from 'hono'
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AdminSettings } from './admin-settings.js'
import { Guards } from './guards.js'
import type { Readiness } from './health.js'
import { addHealth } from './health.js'
import { RefusedError, writeRefusal } from './refusal.js'

export interface AdminParts {
  readonly settings: AdminSettings
  readonly readiness: () => Readiness
  readonly answerScrape: (request: IncomingMessage, response: ServerResponse) => void
  /** What `/api/v1/<name>` shows, by name. */
  readonly reports: Readonly<Record<string, () => object>>
}

export function createAdminApp({
  settings,
  readiness,
  answerScrape,
  reports,
}: AdminParts): Hono<{ Bindings: HttpBindings }> {
  const app = new Hono<{ Bindings: HttpBindings }>()
  const guards = new Guards({ host: settings.host, allowedHosts: [], allowedOrigins: [] })
  addHealth(app, readiness)
  app.use(async ({ env: { incoming, outgoing } }, next) => {
    try {
      guards.check(incoming)
      checkToken(settings.token, incoming.headers.authorization)
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error
      writeRefusal(outgoing, error)
      return RESPONSE_ALREADY_SENT
    }
    return next()
  })
  app.get('/metrics', ({ env: { incoming, outgoing } }) => {
    answerScrape(incoming, outgoing)
    return RESPONSE_ALREADY_SENT
  })
  for (const [name, report] of Object.entries(reports)) {
    app.get(`/api/v1/${name}`, (c) => c.json(report(), 200, { 'cache-control': 'no-store' }))
  }
  app.notFound((c) => c.json({ error: 'nothing here' }, 404))
  return app
}

/** @throws RefusedError 401 */
function checkToken(token: string | undefined, authorization: string | undefined): void {
  if (token === undefined) return
  const given = /^Bearer (.+)$/i.exec(authorization ?? '')?.[1] ?? ''
  // Of equal length whatever was given, and compared in equal time.
  if (timingSafeEqual(digest(given), digest(token))) return
  throw new RefusedError(401, 'a valid bearer token is needed (admin.token)', {
    headers: { 'www-authenticate': 'Bearer' },
  })
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
