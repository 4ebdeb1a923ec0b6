/** Reads a request's body whole, within a limit. */
import type { IncomingMessage } from 'node:http'
import { RefusedError } from './refusal.js'

/**
 * @throws RefusedError 413 for a body over the limit; 400 where it breaks off
 */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const tooLarge = (): void => {
      request.removeAllListeners('data')
      // The rest is not read: the connection closes after the answer instead.
      reject(
        new RefusedError(413, `the body exceeds ${maxBytes} bytes`, {
          headers: { connection: 'close' },
        }),
      )
    }
    if (Number(request.headers['content-length'] ?? 0) > maxBytes) return tooLarge()
    const chunks: Buffer[] = []
    let bytes = 0
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > maxBytes) return tooLarge()
      chunks.push(chunk)
    })
    request.on('end', () => {
      const [first] = chunks
      const whole = chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks)
      resolve(whole.toString('utf8'))
    })
    const broken = (): void => reject(new RefusedError(400, 'the body broke off'))
    request.on('error', broken)
    request.on('aborted', broken)
  })
}
