/**
 * The admin listener of a gateway with workers. Probes, scrapes and reports show all of them; everything else is answered by
 * the one that has been there the longest, and what changes something is told to all.
 */
import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { Hono } from 'hono'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Readiness } from '../http/health.js'
import { RefusedError } from '../http/refusal.js'
import type { Answering } from './ask-workers.js'
import { askAll, askFirst, sayNobody } from './ask-workers.js'
import type { Said } from './merged.js'
import { mergedMetrics, mergedReadiness } from './merged.js'
import { isMerged } from './merged-reports.js'
import type { AdminRequest } from './messages.js'
import { carried, sendAnswer } from '../http/carried.js'
import { readRequest } from './relayed-http.js'
import { answerReport, watchAll } from './report-front.js'

const READS: ReadonlySet<string> = new Set(['GET', 'HEAD'])
const API = '/api/v1'
const PLAYGROUND = `${API}/playground`

export interface AdminFrontParts {
  readonly wanted: number
  readonly ready: () => readonly Answering[]
  readonly isStopping: () => boolean
  /** A fault of ours, with nothing about it told to whoever asked. */
  readonly onInternalError: (error: unknown) => void
}

type Bindings = { Bindings: HttpBindings }

export function createAdminFront(parts: AdminFrontParts): Hono<Bindings> {
  const { wanted, isStopping, onInternalError } = parts
  const ready = (): readonly Answering[] =>
    parts.ready().toSorted((one, other) => one.startedAt - other.startedAt)
  const app = new Hono<Bindings>()
  app.get('/healthz', (c) => c.json({ status: 'ok' }))
  app.get('/readyz', async (c) => {
    const workers = ready()
    const answers = await askAll(workers, probe('/readyz'))
    const said = answers
      .map(({ worker, body }) => ({ worker, what: JSON.parse(body) as Readiness }))
      .toSorted(byWorker)
    const report = mergedReadiness(said, {
      wanted,
      serving: workers.map((it) => it.number),
      isStopping: isStopping(),
    })
    return c.json(report, report.ready ? 200 : 503)
  })
  app.get('/metrics', async ({ env: { incoming, outgoing } }) => {
    const request = await readRequest(incoming)
    const answers = await askAll(ready(), request)
    const refused = answers.find((it) => it.status !== 200)
    const shown = refused ?? answers[0]
    if (shown === undefined) {
      sayNobody(outgoing)
      return RESPONSE_ALREADY_SENT
    }
    const said = answers.map(({ worker, body }) => ({ worker, what: body })).toSorted(byWorker)
    outgoing.writeHead(shown.status, carried(shown.headers))
    outgoing.end(refused === undefined ? mergedMetrics(said) : refused.body)
    return RESPONSE_ALREADY_SENT
  })
  app.get(`${API}/events`, async ({ env: { incoming, outgoing } }) => {
    await watchAll(ready, incoming, outgoing)
    return RESPONSE_ALREADY_SENT
  })
  app.get(`${API}/:report`, async ({ req, env: { incoming, outgoing } }, next) => {
    const report = req.param('report')
    if (!isMerged(report)) return next()
    await answerReport(report, { wanted, workers: ready() }, incoming, outgoing)
    return RESPONSE_ALREADY_SENT
  })
  app.all('*', async ({ env: { incoming, outgoing } }) => {
    await relay(ready(), incoming, outgoing)
    return RESPONSE_ALREADY_SENT
  })
  app.onError((error, c) => {
    if (error instanceof RefusedError) return c.json({ error: error.message }, 413)
    onInternalError(error)
    return c.json({ error: 'internal error in the gateway' }, 500)
  })
  return app
}

async function relay(
  workers: readonly Answering[],
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const found = await askFirst(workers, incoming, outgoing)
  if (found === undefined) return
  const { first, request, answer } = found
  const isForAll = !READS.has(request.method) && !request.path.startsWith(PLAYGROUND)
  if (isForAll && answer.status < 300) {
    const others = workers.filter((it) => it !== first)
    await askAll(others, request)
  }
  sendAnswer(outgoing, answer, { 'mcp-junction-worker': String(first.number) })
}

function probe(path: string): AdminRequest {
  return { method: 'GET', path, headers: {}, body: '', remoteAddress: '127.0.0.1' }
}

function byWorker(one: Said<unknown>, other: Said<unknown>): number {
  return one.worker - other.worker
}
