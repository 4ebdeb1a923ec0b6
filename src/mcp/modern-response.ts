/**
 * The answer to a POST of 2026-07-28: a JSON body as long as there is nothing to say but the answer, an event stream from
 * the first notification on. Nothing is kept: a client that leaves has given its request up.
 */
import type { ServerResponse } from 'node:http'
import type { Membership, MessageText } from '../../backends/index.js'
import { sseMessage, wholeText } from '../../backends/index.js'
import type { KeepAlive } from './event-stream.js'
import { EventStream } from './event-stream.js'
import { answerWithJson } from './json-answer.js'

/** A call quicker than this is answered with JSON. */
const QUIET_MS = 5_000

export class ModernResponse {
  readonly #response: ServerResponse
  readonly #membership: Membership<unknown>
  readonly #openedAt = performance.now()
  #stream: EventStream | undefined
  #isDone = false

  /** `onGone` hears of a client that leaves before its answer. */
  constructor(response: ServerResponse, keepAlive: KeepAlive, onGone: () => void) {
    this.#response = response
    this.#membership = keepAlive.add(this)
    response.once('close', () => {
      this.#membership.leave()
      if (this.#isDone) return
      this.#isDone = true
      onGone()
    })
  }

  notify(text: string): void {
    if (!this.#isDone) this.stream().send(sseMessage(text))
  }

  room(): Promise<void> | undefined {
    return this.#stream?.room()
  }

  /** The event stream; from now on the status is 200. */
  stream(): EventStream {
    return (this.#stream ??= new EventStream(this.#response))
  }

  /** Gives the answer, with a status where none has been given yet. */
  answer(answer: MessageText, status: number): void {
    if (this.#isDone) return
    this.#isDone = true
    this.#membership.leave()
    if (this.#stream !== undefined) {
      this.#stream.write(sseMessage(wholeText(answer)))
      this.#stream.end()
      return
    }
    answerWithJson(this.#response, status, answer)
  }

  /** A slow call: from now on it is a stream, so that nobody between takes the connection for dead. */
  keepAlive(): void {
    if (this.#stream === undefined && performance.now() - this.#openedAt < QUIET_MS) return
    this.stream().keepAlive()
  }
}
