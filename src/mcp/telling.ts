/** What other processes are told without anybody waiting for what becomes of it. */
import type { IncomingMessage } from 'node:http'
import type { PeerRequest } from '../peers/peers.js'

/** It is given up after so long, and beyond so many at a time, or so many bytes, not said. */
const TELLING_MS = 10_000
const MAX_TELLING = 256
const MAX_TELLING_BYTES = 32 * 1024 * 1024

type Ask = (place: string, request: PeerRequest, signal: AbortSignal) => Promise<IncomingMessage>

export class Telling {
  readonly #ask: Ask
  #telling = 0
  #bytes = 0

  constructor(ask: Ask) {
    this.#ask = ask
  }

  /** Resolves when it has arrived, or will not: then there is nobody to hear it. It waits for what is said `before`. */
  async tell(place: string, request: PeerRequest, before?: Promise<void>): Promise<void> {
    const bytes = request.body?.length ?? 0
    if (this.#telling >= MAX_TELLING || this.#bytes + bytes > MAX_TELLING_BYTES) return before
    this.#telling++
    this.#bytes += bytes
    try {
      await before
      const answer = await this.#ask(place, request, AbortSignal.timeout(TELLING_MS))
      answer.resume()
    } catch {
      // There is nobody to hear it.
    } finally {
      this.#telling--
      this.#bytes -= bytes
    }
  }
}
