/**
 * An answer stream that breaks off before the answer and goes on in another request (2025-11-25 basic/transports,
 * resumability): servers close a stream on purpose to have the client poll, and networks break. The request itself
 * is never sent again. Only a server that numbers its events can be come back to.
 */
import { afterRunning, BackendUnreachableError } from './errors.js'
import type { Exchange, Sent } from './transport.js'
import { SETTLED } from './transport.js'
import type { Message } from './wire/json-rpc.js'

const DEFAULT_RETRY_MS = 1_000
/** A server may ask for more; a call would then seem dead. */
const LONGEST_RETRY_MS = 30_000
/** Times in a row that a server may be come back to and say nothing. */
const MAX_ATTEMPTS = 10

/** Sends one request, with the id of the last event seen where it is one to go on. */
type Send = (exchange: Exchange, lastEventId: string | undefined) => Sent

export class ResumingExchange implements Exchange, Sent {
  readonly #exchange: Exchange
  readonly #send: Send
  #sent = SETTLED
  #timer: NodeJS.Timeout | undefined
  #lastEventId = ''
  #retryMs = DEFAULT_RETRY_MS
  #attempts = 0
  #isAnswered = false

  /** Sends the request; what comes of it, over however many streams, reaches `exchange`. */
  constructor(exchange: Exchange, send: Send) {
    this.#exchange = exchange
    this.#send = send
    this.#sent = send(this, undefined)
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#isAnswered = true
    this.#sent.stop()
  }

  onEvent(id: string | undefined, retryMs: number | undefined): void {
    if (retryMs !== undefined) this.#retryMs = Math.min(retryMs, LONGEST_RETRY_MS)
    if (id === undefined || id === this.#lastEventId) return
    this.#lastEventId = id
    this.#attempts = 0
  }

  onMessage(message: Message): void {
    if (message.kind === 'result' || message.kind === 'error') this.#isAnswered = true
    this.#exchange.onMessage(message)
  }

  room(): Promise<void> | undefined {
    return this.#exchange.room?.()
  }

  onEnd(): void {
    if (!this.#comesBack()) this.#exchange.onEnd()
  }

  onError(error: Error): void {
    const isBreak = error instanceof BackendUnreachableError
    if (isBreak && this.#comesBack()) return
    // Refused, or unreachable, while going on, not at the door: the request has run all the same.
    this.#exchange.onError(this.#lastEventId === '' ? error : afterRunning(error))
  }

  #comesBack(): boolean {
    if (this.#isAnswered || this.#lastEventId === '' || this.#attempts >= MAX_ATTEMPTS) return false
    this.#attempts++
    this.#timer = setTimeout(() => {
      this.#sent = this.#send(this, this.#lastEventId)
    }, this.#retryMs)
    return true
  }
}
