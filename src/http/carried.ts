/** Headers of a message that goes on over another connection: what belongs to a connection stays with it. */
import type { IncomingHttpHeaders, ServerResponse } from 'node:http'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Readable
}

const OF_THE_CONNECTION = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'te',
  // Announces what a message of known length cannot have.
  'trailer',
  'transfer-encoding',
  'upgrade',
])

export function carried(headers: IncomingHttpHeaders): Record<string, string> {
  const kept = Object.entries(headers).filter(
    ([name, value]) => value !== undefined && !OF_THE_CONNECTION.has(name),
  )
  return Object.fromEntries(kept.map(([name, value]) => [name, String(value)]))
}

/** Sends an answer as it comes; where that breaks off, so does this. */
export function sendAnswer(
  outgoing: ServerResponse,
  { status, headers, body }: Answer,
  more: Readonly<Record<string, string>> = {},
): void {
  outgoing.writeHead(status, { ...carried(headers), ...more })
  outgoing.flushHeaders()
  // Both are destroyed where one ends early, and nobody is left to be told.
  pipeline(body, outgoing, () => undefined)
}
