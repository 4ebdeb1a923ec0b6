/** The HTTP requests of one transport that are under way, so that they can be given up one by one or all at once. */
import type { Dispatcher } from 'undici'
import type { SubjectToken } from './call.js'
import type { HttpDoor } from './http-door.js'
import type { ReaderOptions } from './http-response.js'
import { ResponseReader } from './http-response.js'
import type { Membership } from './members.js'
import { Members } from './members.js'
import type { Exchange, Sent } from './transport.js'
import type { Message } from './wire/json-rpc.js'

/** A server may leave its stream open when it has answered; after this long we close it. */
const LINGER_MS = 5_000

export interface ExchangeOptions extends ReaderOptions {
  /** What comes is the answer to one message, and over with that. */
  readonly isOneAnswer: boolean
  /** The token of the caller that it is sent for. */
  readonly subject?: SubjectToken | undefined
  /** Who takes turns with others for it; absent for what is the gateway's own. */
  readonly party?: string | undefined
}

export class HttpExchanges {
  readonly #door: HttpDoor
  readonly #running = new Members<HttpExchange>()

  constructor(door: HttpDoor) {
    this.#door = door
  }

  /** Sends a request; what comes of it reaches `exchange`. Never throws. */
  send(request: Dispatcher.DispatchOptions, options: ExchangeOptions, exchange: Exchange): Sent {
    const running = new HttpExchange(options, exchange, this.#running)
    running.send(this.#door, request)
    return running
  }

  abortAll(): void {
    this.#running.forEach((it) => it.stop())
  }
}

/** One of them. There is one for each call, so it is one object and no closures. */
class HttpExchange implements Exchange, Sent {
  readonly #options: ExchangeOptions
  readonly #exchange: Exchange
  readonly #reader: ResponseReader
  readonly #membership: Membership<HttpExchange>
  #isStream = false
  #lingering: NodeJS.Timeout | undefined

  constructor(options: ExchangeOptions, exchange: Exchange, running: Members<HttpExchange>) {
    this.#options = options
    this.#exchange = exchange
    this.#reader = new ResponseReader(options, this)
    this.#membership = running.add(this)
  }

  send(door: HttpDoor, request: Dispatcher.DispatchOptions): void {
    const { subject, party } = this.#options
    try {
      door.dispatch(request, this.#reader, subject, party)
    } catch (cause) {
      this.#reader.onResponseError(undefined, cause as Error)
    }
  }

  stop(): void {
    this.#settle()
    this.#reader.abort()
  }

  onOpen(): void {
    this.#isStream = this.#options.isOneAnswer
    this.#exchange.onOpen?.()
  }

  onEvent(id: string | undefined, retryMs: number | undefined): void {
    this.#exchange.onEvent?.(id, retryMs)
  }

  onEndpoint(address: string): void {
    this.#exchange.onEndpoint?.(address)
  }

  onMessage(message: Message): void {
    this.#exchange.onMessage(message)
    if (!this.#isStream || (message.kind !== 'result' && message.kind !== 'error')) return
    this.#lingering ??= setTimeout(() => this.stop(), LINGER_MS).unref()
  }

  room(): Promise<void> | undefined {
    return this.#exchange.room?.()
  }

  onEnd(): void {
    this.#settle()
    this.#exchange.onEnd()
  }

  onError(error: Error): void {
    this.#settle()
    this.#exchange.onError(error)
  }

  #settle(): void {
    clearTimeout(this.#lingering)
    this.#membership.leave()
  }
}
