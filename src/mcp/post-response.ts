/**
 * The answer to one POST: a JSON body as long as there is nothing to say but the answer, an event stream from
 * the first notification on. The status line is held back until one of the two is known.
 */
import type { ServerResponse } from 'node:http'
import type { KeepAlive } from './event-stream.js'
import { EventStream } from './event-stream.js'

export class PostResponse {
  readonly #response: ServerResponse
  readonly #keepAlive: KeepAlive
  readonly #isBatch: boolean
  #awaited: number
  #answers: string[] = []
  #stream: EventStream | undefined
  #quietSince = performance.now()

  /** `awaited` answers complete it; those of a batch go into one array. */
  constructor(response: ServerResponse, keepAlive: KeepAlive, awaited: number, isBatch: boolean) {
    this.#response = response
    this.#keepAlive = keepAlive
    this.#awaited = awaited
    this.#isBatch = isBatch
    keepAlive.add(this)
    // 2025-11-25 basic/transports: a disconnect is not a cancellation. What was called goes on; nobody reads on.
    response.once('close', () => keepAlive.delete(this))
  }

  /** Sends a message that belongs to a call still running. */
  notify(text: string): void {
    this.#open().offer(text)
  }

  /** Sends a request of a server's. Returns false where nobody reads it any more. */
  ask(text: string): boolean {
    if (this.#awaited === 0 || this.#response.destroyed) return false
    this.#open().send(text)
    return true
  }

  /** Gives one of the awaited answers; `undefined` for a request that gets none, as it was cancelled. */
  answer(text: string | undefined): void {
    this.#awaited--
    if (text !== undefined) {
      if (this.#stream === undefined) this.#answers.push(text)
      else this.#stream.send(text)
    }
    if (this.#awaited === 0) this.#finish()
  }

  /** A slow call: from now on it is a stream, so that nobody between takes the connection for dead. */
  keepAlive(): void {
    if (this.#stream === undefined && performance.now() - this.#quietSince < 5_000) return
    this.#open().keepAlive()
  }

  #open(): EventStream {
    if (this.#stream === undefined) {
      this.#stream = new EventStream(this.#response)
      for (const answer of this.#answers.splice(0)) this.#stream.send(answer)
    }
    return this.#stream
  }

  #finish(): void {
    this.#keepAlive.delete(this)
    if (this.#response.destroyed) return
    const [first] = this.#answers
    if (this.#stream !== undefined || first === undefined) {
      this.#open().end()
      return
    }
    const body = this.#isBatch ? `[${this.#answers.join(',')}]` : first
    this.#response.writeHead(200, {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    })
    this.#response.end(body)
  }
}
