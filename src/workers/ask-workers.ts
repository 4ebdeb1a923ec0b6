/** Requests to the admin listener as they are asked of workers: of all, or of the first that should know. */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import type { Answer } from '../http/carried.js'
import type { Asked } from './asked.js'
import type { AdminRequest } from './messages.js'
import { readRequest } from './relayed-http.js'

/** A worker that does not answer is left out of what shows all. */
export const PATIENCE_MS = 5_000

export interface Answering {
  readonly number: number
  /** By `performance.now()`. */
  readonly startedAt: number
  readonly asked: Asked
}

interface WholeAnswer {
  readonly worker: number
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** The answers of those that gave one. */
export async function askAll(
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

interface FirstAnswer {
  readonly first: Answering
  readonly request: AdminRequest
  readonly answer: Answer
  /** Aborted when whoever asked has gone. */
  readonly left: AbortSignal
}

/** The answer of the first; `undefined` where it gives none, and whoever asked has been told so. */
export async function askFirst(
  [first]: readonly Answering[],
  incoming: IncomingMessage,
  outgoing: ServerResponse,
): Promise<FirstAnswer | undefined> {
  const left = new AbortController()
  outgoing.once('close', () => left.abort())
  const request = await readRequest(incoming)
  // It died, or whoever asked has gone.
  const answer = await first?.asked.ask(request, left.signal).catch(() => undefined)
  if (first !== undefined && answer !== undefined) {
    return { first, request, answer, left: left.signal }
  }
  sayNobody(outgoing)
  return undefined
}

export function sayNobody(outgoing: ServerResponse): void {
  if (!outgoing.headersSent) outgoing.writeHead(503, { 'content-type': 'application/json' })
  outgoing.end('{"error":"no worker answers"}')
}
