/** Reads a request's body whole, within a limit. */
import type { IncomingMessage } from 'node:http'
import type { RequestId } from '../../backends/index.js'
import { RefusedError } from './refusal.js'

/** Counts what is held of bodies whose length was not announced. @throws RefusedError where that is too much */
export interface BodyHolder {
  hold(request: IncomingMessage, bytes: number): void
}

/**
 * @throws RefusedError 413 for a body over the limit; 400 where it breaks off; what the holder throws
 */
export function readBody(
  request: IncomingMessage,
  maxBytes: number,
  holder?: BodyHolder,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const refuse = (why: Error): void => {
      request.removeAllListeners('data')
      // The rest is not read: the connection closes after the answer instead.
      reject(why)
    }
    const length = request.headers['content-length']
    if (Number(length ?? 0) > maxBytes) return refuse(tooLarge(maxBytes))
    const unmeasured = length === undefined ? holder : undefined
    const chunks: Buffer[] = []
    let bytes = 0
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > maxBytes) return refuse(tooLarge(maxBytes))
      if (unmeasured !== undefined) {
        try {
          unmeasured.hold(request, chunk.length)
        } catch (error) {
          return refuse(error as Error)
        }
      }
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
