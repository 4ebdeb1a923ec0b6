/**
 * The HTTP surface for those who run the gateway: metrics, state, the page and what it does. Nothing here is meant for
 * clients. Every answer says that it may be framed, sniffed and read from elsewhere by nobody.
 */
import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import type { Context } from 'hono'
import { Hono } from 'hono'
import { createHash, timingSafeEqual } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { z } from 'zod'
import type { LogLevel } from '../telemetry/log-levels.js'
import { LOG_LEVELS } from '../telemetry/log-levels.js'
import { answering } from '../mcp/request.js'
import type { AdminSettings } from './admin-settings.js'
import { Guards } from './guards.js'
import type { Readiness } from './health.js'
import { addHealth } from './health.js'
import { PageFiles, SECURITY_HEADERS } from './page-files.js'
import { RefusedError, writeRefusal } from './refusal.js'
import { requireOwnPage } from './same-origin.js'

type Bindings = { Bindings: HttpBindings }

export interface AdminParts {
  readonly settings: AdminSettings
  readonly readiness: () => Readiness
  /** Somebody is about to look at what there is. */
  readonly onLook: () => void
  readonly answerScrape: (response: ServerResponse) => void
  /** How much the log says. */
  readonly logLevel: { get(): LogLevel; set(level: LogLevel): void }
  /** What `/api/v1/<name>` shows, by name. */
  readonly reports: Readonly<Record<string, () => object>>
  /** One definition of the catalog. */
  readonly definition: (kind: string, target: string, original: string) => object | undefined
  /** Sends what happens, as it happens. @throws RefusedError */
  readonly watch: (response: ServerResponse) => void
  /** Connects a target anew; `false` where there is none of this name. */
  readonly reconnect: (target: string) => boolean
  /** Gives callers to a variant again, should it be given up; `false` where there is none of this name. */
  readonly restore: (variant: string) => boolean
  /** Passes a request on to the main endpoint. @throws RefusedError */
  readonly play: (request: IncomingMessage, response: ServerResponse) => Promise<void>
  /** A fault of ours, with nothing about it told to whoever asked. */
  readonly onInternalError: (error: unknown) => void
}

const API = '/api/v1'
const READS: ReadonlySet<string> = new Set(['GET', 'HEAD'])
const NOT_KEPT = { 'cache-control': 'no-store' }
const logLevelSchema = z.strictObject({ level: z.enum(LOG_LEVELS) })

export function createAdminApp(parts: AdminParts): Hono<Bindings> {
  const { settings, readiness, onLook, answerScrape, onInternalError } = parts
  const app = new Hono<Bindings>()
  const files = new PageFiles()
  const { host } = settings
  const guards = new Guards({ host, allowedHosts: [], allowedOrigins: [] }, true)
  addHealth(app, readiness)
  app.use(async ({ req, env: { incoming, outgoing } }, next) => {
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) outgoing.setHeader(name, value)
    try {
      guards.check(incoming)
      // It asks for the token, and holds nothing of the gateway's.
      if (READS.has(incoming.method ?? '') && files.has(req.path)) {
        files.answer(req.path, incoming, outgoing)
        return RESPONSE_ALREADY_SENT
      }
      checkToken(settings.token, incoming.headers.authorization)
      if (!READS.has(incoming.method ?? '')) requireOwnPage(incoming)
    } catch (error) {
      return refused(outgoing, error)
    }
    onLook()
    return next()
  })
  app.get('/metrics', ({ env: { outgoing } }) => {
    answerScrape(outgoing)
    return RESPONSE_ALREADY_SENT
  })
  addApi(app, parts)
  app.onError((error, c) => {
    onInternalError(error)
    return c.json({ error: 'internal error in the gateway' }, 500)
  })
  app.notFound((c) => c.json({ error: 'nothing here' }, 404))
  return app
}

function addApi(
  app: Hono<Bindings>,
  { reports, logLevel, definition, watch, reconnect, restore, play, onInternalError }: AdminParts,
): void {
  const answered = async (
    response: ServerResponse,
    work: () => void | Promise<void>,
  ): Promise<Response> => {
    await answering(response, onInternalError, work)
    return RESPONSE_ALREADY_SENT
  }
  for (const [name, report] of Object.entries(reports)) {
    app.get(`${API}/${name}`, (c) => c.json(report(), 200, NOT_KEPT))
  }
  app.get(`${API}/log-level`, (c) => c.json({ level: logLevel.get() }, 200, NOT_KEPT))
  app.put(`${API}/log-level`, async (c) => {
    const { data } = logLevelSchema.safeParse(await c.req.json().catch(() => undefined))
    if (data === undefined) {
      return c.json({ error: `expected {"level": …} with one of ${LOG_LEVELS.join(', ')}` }, 400)
    }
    logLevel.set(data.level)
    return c.json(data, 200, NOT_KEPT)
  })
  app.get(`${API}/definition`, (c) => {
    const { kind = '', target = '', name = '' } = c.req.query()
    const found = definition(kind, target, name)
    return found === undefined ? c.json({ error: 'nothing of this name' }, 404) : c.json(found)
  })
  app.get(`${API}/events`, ({ env: { outgoing } }) => answered(outgoing, () => watch(outgoing)))
  app.post(`${API}/targets/:name/reconnect`, (c: Context<Bindings>) => {
    const isThere = reconnect(c.req.param('name') ?? '')
    return isThere ? c.json({ ok: true }, 202) : c.json({ error: 'no such target' }, 404)
  })
  app.post(`${API}/targets/:name/restore`, (c: Context<Bindings>) => {
    const isDone = restore(c.req.param('name') ?? '')
    return isDone ? c.json({ ok: true }, 202) : c.json({ error: 'no such variant' }, 404)
  })
  app.post(`${API}/playground`, ({ env: { incoming, outgoing } }) =>
    answered(outgoing, () => play(incoming, outgoing)),
  )
}

/** @throws what is no refusal */
function refused(response: ServerResponse, error: unknown): Response {
  if (!(error instanceof RefusedError)) throw error
  writeRefusal(response, error)
  return RESPONSE_ALREADY_SENT
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
