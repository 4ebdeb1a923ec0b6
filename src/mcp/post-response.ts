/**
 * The answer to one POST: a JSON body as long as there is nothing to say but the answer, an event stream from
 * the first notification on. The status line is held back until one of the two is known.
 */
import type { ServerResponse } from 'node:http'
import type { Membership, MessageText } from '../../backends/index.js'
import { wholeText } from '../../backends/index.js'
import type { KeepAlive } from './event-stream.js'
import { answerWithJson } from './json-answer.js'
import type { ResumableStream } from './resumable-stream.js'

/** A call quicker than this is answered with JSON. */
const QUIET_MS = 5_000

export class PostResponse {
  readonly #response: ServerResponse
  readonly #membership: Membership<unknown>
  readonly #openStream: () => ResumableStream
  readonly #isBatch: boolean
  #awaited: number
  #status = 200
  #answers: MessageText[] = []
  #stream: ResumableStream | undefined
  #quietSince = performance.now()

  /** `awaited` answers complete it; those of a batch go into one array. */
  constructor(
    response: ServerResponse,
    keepAlive: KeepAlive,
    openStream: () => ResumableStream,
    awaited: number,
    isBatch: boolean,
  ) {
    this.#response = response
    this.#openStream = openStream
    this.#awaited = awaited
    this.#isBatch = isBatch
    this.#membership = keepAlive.add(this)
  }

  /** Sends a message that belongs to a call still running. */
  notify(text: string): void {
    this.#open()?.send(text)
  }

  room(): Promise<void> | undefined {
    return this.#stream?.room()
  }

  /** Sends a request of a server's. Returns false where nobody can read it any more. */
  ask(text: string): boolean {
    const stream = this.#awaited === 0 ? undefined : this.#open()
    stream?.send(text)
    return stream !== undefined
  }

  /** What comes is answered as 404 has it: such a session is no more (2025-11-25 basic/transports). */
  lose(): void {
    if (!this.#isBatch) this.#status = 404
  }

  /** Gives one of the awaited answers; `undefined` for a request that gets none, as it was cancelled. */
  answer(answer: MessageText | undefined): void {
    this.#awaited--
    if (answer !== undefined) {
      if (this.#stream === undefined) this.#answers.push(answer)
      else this.#stream.send(wholeText(answer))
    }
    if (this.#awaited === 0) this.#finish()
  }

  /** A slow call: from now on it is a stream, so that nobody between takes the connection for dead. */
  keepAlive(): void {
    // 2025-11-25 basic/transports: a disconnect is not a cancellation. What was called goes on, and a client that
    // has seen an event can come back for the rest.
    if (this.#response.destroyed) return this.#membership.leave()
    if (this.#stream === undefined && performance.now() - this.#quietSince < QUIET_MS) return
    this.#open()?.keepAlive()
  }

  /** The stream; `undefined` where the client left before it had an event to come back with. */
  #open(): ResumableStream | undefined {
    if (this.#stream === undefined && !this.#response.destroyed) {
      this.#stream = this.#openStream()
      this.#stream.connect(this.#response)
      for (const answer of this.#answers.splice(0)) this.#stream.send(wholeText(answer))
    }
    return this.#stream
  }

  #finish(): void {
    this.#membership.leave()
    const [first] = this.#answers
    if (this.#stream !== undefined || first === undefined) {
      this.#open()?.end()
      return
    }
    if (this.#response.destroyed) return
    const body = this.#isBatch ? `[${this.#answers.map(wholeText).join(',')}]` : first
    answerWithJson(this.#response, this.#status, body)
  }
}
