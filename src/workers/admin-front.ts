/**
 * The admin listener of a gateway with workers. Probes and scrapes show all of them; everything else is answered by the
 * living worker with the lowest number, and what changes something is told to all.
 */
import type { HttpBindings } from '@hono/node-server'
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response'
import { Hono } from 'hono'
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import type { Readiness } from '../http/health.js'
import { RefusedError } from '../http/refusal.js'
import type { Answer, Asked } from './asked.js'
import { mergedMetrics, mergedReadiness } from './merged.js'
import type { AdminRequest } from './messages.js'
import { carried, readRequest, sendAnswer } from './relayed-http.js'

/** A worker that does not answer is left out of what shows all. */
const PATIENCE_MS = 5_000
const READS: ReadonlySet<string> = new Set(['GET', 'HEAD'])
const PLAYGROUND = '/api/v1/playground'

export interface Answering {
  readonly number: number
  readonly asked: Asked
}

export interface AdminFrontParts {
  readonly wanted: number
  readonly ready: () => readonly Answering[]
  readonly isStopping: () => boolean
  /** A fault of ours, with nothing about it told to whoever asked. */
  readonly onInternalError: (error: unknown) => void
}

type Bindings = { Bindings: HttpBindings }

export function createAdminFront(parts: AdminFrontParts): Hono<Bindings> {
  const { wanted, ready, isStopping, onInternalError } = parts
  const app = new Hono<Bindings>()
  app.get('/healthz', (c) => c.json({ status: 'ok' }))
  app.get('/readyz', async (c) => {
    const answers = await askAll(ready(), probe('/readyz'))
    const said = answers.map(({ worker, body }) => ({
      worker,
      what: JSON.parse(body) as Readiness,
    }))
    const report = mergedReadiness(said, { wanted, isStopping: isStopping() })
    return c.json(report, report.ready ? 200 : 503)
  })
  app.get('/metrics', async ({ env: { incoming, outgoing } }) => {
    const request = await readRequest(incoming)
    const answers = await askAll(ready(), request)
    const refused = answers.find((it) => it.status !== 200)
    const shown = refused ?? answers[0]
    if (shown === undefined) return nobody(outgoing)
    const said = answers.map(({ worker, body }) => ({ worker, what: body }))
    outgoing.writeHead(shown.status, carried(shown.headers))
    outgoing.end(refused === undefined ? mergedMetrics(said) : refused.body)
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
  [first, ...others]: readonly Answering[],
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<void> {
  const left = new AbortController()
  outgoing.once('close', () => left.abort())
  const request = await readRequest(incoming)
  if (first === undefined) return void nobody(outgoing)
  let answer: Answer
  try {
    answer = await first.asked.ask(request, left.signal)
  } catch {
    // It died, or whoever asked has gone.
    return void nobody(outgoing)
  }
  const isForAll = !READS.has(request.method) && !request.path.startsWith(PLAYGROUND)
  if (isForAll && answer.status < 300) await askAll(others, request)
  sendAnswer(outgoing, answer, { 'mcp-junction-worker': String(first.number) })
}

interface WholeAnswer {
  readonly worker: number
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** The answers of those that gave one. */
async function askAll(
  workers: readonly Answering[],
  request: AdminRequest,
): Promise<readonly WholeAnswer[]> {
  const answers = await Promise.allSettled(
    workers.map(async ({ number, asked }): Promise<WholeAnswer> => {
      const signal = AbortSignal.timeout(PATIENCE_MS)
      const { status, headers, body } = await asked.ask(request, signal)
      return { worker: number, status, headers, body: await text(body) }
    }),
  )
  return answers.flatMap((it) => (it.status === 'fulfilled' ? [it.value] : []))
}

function probe(path: string): AdminRequest {
  return { method: 'GET', path, headers: {}, body: '', remoteAddress: '127.0.0.1' }
}

function nobody(outgoing: ServerResponse): Response {
  if (!outgoing.headersSent) outgoing.writeHead(503, { 'content-type': 'application/json' })
  outgoing.end('{"error":"no worker answers"}')
  return RESPONSE_ALREADY_SENT
}
