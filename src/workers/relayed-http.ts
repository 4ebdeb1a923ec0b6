/** HTTP on its way into messages. */
import type { IncomingMessage } from 'node:http'
import { carried } from '../http/carried.js'
import { RefusedError } from '../http/refusal.js'
import type { AdminRequest } from './messages.js'

const MAX_BODY_BYTES = 8 * 1024 * 1024

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
