/** HTTP on its way into messages and out of them; what belongs to a connection stays with it. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { pipeline } from 'node:stream'
import { RefusedError } from '../http/refusal.js'
import type { Answer } from './asked.js'
import type { AdminRequest } from './messages.js'

const MAX_BODY_BYTES = 8 * 1024 * 1024
const OF_THE_CONNECTION = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
])

/**
 * Rejects where the body does not come.
 * @throws RefusedError 413
 */
export async function readRequest(incoming: IncomingMessage): Promise<AdminRequest> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of incoming) {
    chunks.push(chunk as Buffer)
    bytes += (chunk as Buffer).length
    if (bytes > MAX_BODY_BYTES) throw new RefusedError(413, 'the body is too large')
  }
  return {
    method: incoming.method ?? 'GET',
    path: incoming.url ?? '/',
    headers: carried(incoming.headers),
    body: Buffer.concat(chunks).toString(),
    remoteAddress: incoming.socket.remoteAddress ?? '',
  }
}

/** Sends an answer as it comes; where that breaks off, so does this. */
export function sendAnswer(
  outgoing: ServerResponse,
  { status, headers, body }: Answer,
  more: Readonly<Record<string, string>>,
): void {
  outgoing.writeHead(status, { ...carried(headers), ...more })
  outgoing.flushHeaders()
  // Both are destroyed where one ends early, and nobody is left to be told.
  pipeline(body, outgoing, () => undefined)
}

export function carried(headers: IncomingMessage['headers']): Record<string, string> {
  const kept = Object.entries(headers).filter(
    ([name, value]) => value !== undefined && !OF_THE_CONNECTION.has(name),
  )
  return Object.fromEntries(kept.map(([name, value]) => [name, String(value)]))
}
