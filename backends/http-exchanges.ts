/** The HTTP requests of one transport that are under way, so that they can be given up one by one or all at once. */
import type { Dispatcher } from 'undici'
import type { SubjectToken } from './call.js'
import type { HttpDoor } from './http-door.js'
import type { ReaderOptions } from './http-response.js'
import { ResponseReader } from './http-response.js'
import { Members } from './members.js'
import type { Exchange } from './transport.js'

/** A server may leave its stream open when it has answered; after this long we close it. */
const LINGER_MS = 5_000

export interface ExchangeOptions extends ReaderOptions {
  /** What comes is the answer to one message, and over with that. */
  readonly isOneAnswer: boolean
  /** The token of the caller that it is sent for. */
  readonly subject?: SubjectToken | undefined
  /** It is a caller's request. */
  readonly isCall?: boolean
}

export class HttpExchanges {
  readonly #door: HttpDoor
  readonly #aborts = new Members<() => void>()

  constructor(door: HttpDoor) {
    this.#door = door
  }

  /** Sends a request; what comes of it reaches `exchange`. Returns the way to give it up silently. Never throws. */
  send(
    request: Dispatcher.DispatchOptions,
    options: ExchangeOptions,
    exchange: Exchange,
  ): () => void {
    let isStream = false
    let lingering: NodeJS.Timeout | undefined
    const settle = (): void => {
      clearTimeout(lingering)
      leave()
    }
    const reader = new ResponseReader(options, {
      onOpen: () => {
        isStream = options.isOneAnswer
        exchange.onOpen?.()
      },
      onEvent: (id, retryMs) => exchange.onEvent?.(id, retryMs),
      onEndpoint: (address) => exchange.onEndpoint?.(address),
      onMessage: (message) => {
        exchange.onMessage(message)
        const isAnswer = message.kind === 'result' || message.kind === 'error'
        if (isStream && isAnswer) lingering ??= setTimeout(abort, LINGER_MS).unref()
      },
      room: () => exchange.room?.(),
      onEnd: () => {
        settle()
        exchange.onEnd()
      },
      onError: (error) => {
        settle()
        exchange.onError(error)
      },
    })
    const abort = (): void => {
      settle()
      reader.abort()
    }
    const leave = this.#aborts.add(abort)
    try {
      this.#door.dispatch(request, reader, options.subject, options.isCall === true)
    } catch (cause) {
      reader.onResponseError(undefined, cause as Error)
    }
    return abort
  }

  abortAll(): void {
    this.#aborts.forEach((abort) => abort())
  }
}
