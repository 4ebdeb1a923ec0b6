/** Reads a request's body whole, within a limit. */
import type { IncomingMessage } from 'node:http'
import type { RequestId } from '../../backends/index.js'
import { RefusedError } from './refusal.js'

/**
 * @throws RefusedError 413 for a body over the limit; 400 where it breaks off
 */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const refuse = (): void => {
      request.removeAllListeners('data')
      // The rest is not read: the connection closes after the answer instead.
      reject(tooLarge(maxBytes))
    }
    if (Number(request.headers['content-length'] ?? 0) > maxBytes) return refuse()
    const chunks: Buffer[] = []
    let bytes = 0
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > maxBytes) return refuse()
      chunks.push(chunk)
    })
    request.on('end', () => {
      const [first] = chunks
      resolve(chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks))
    })
    const broken = (): void => reject(new RefusedError(400, 'the body broke off'))
    // Also of a client that goes away.
    request.on('error', broken)
  })
}

export function tooLarge(maxBytes: number, id?: RequestId): RefusedError {
  return new RefusedError(413, `the body exceeds ${maxBytes} bytes`, {
    id,
    headers: { connection: 'close' },
  })
}
