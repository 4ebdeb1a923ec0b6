/** The HTTP requests of one transport that are under way, so that they can be given up one by one or all at once. */
import type { Dispatcher } from 'undici'
import type { ReaderOptions } from './http-response.js'
import { ResponseReader } from './http-response.js'
import type { Exchange } from './transport.js'

export class HttpExchanges {
  readonly #dispatcher: Dispatcher
  readonly #aborts = new Set<() => void>()

  constructor(dispatcher: Dispatcher) {
    this.#dispatcher = dispatcher
  }

  /** Sends a request; what comes of it reaches `exchange`. Returns the way to give it up silently. Never throws. */
  send(
    request: Dispatcher.DispatchOptions,
    options: ReaderOptions,
    exchange: Exchange,
  ): () => void {
    const reader = new ResponseReader(options, {
      onOpen: () => exchange.onOpen?.(),
      onEndpoint: (address) => exchange.onEndpoint?.(address),
      onMessage: (message) => exchange.onMessage(message),
      onEnd: () => {
        this.#aborts.delete(abort)
        exchange.onEnd()
      },
      onError: (error) => {
        this.#aborts.delete(abort)
        exchange.onError(error)
      },
    })
    const abort = (): void => {
      this.#aborts.delete(abort)
      reader.abort()
    }
    this.#aborts.add(abort)
    try {
      this.#dispatcher.dispatch(request, reader)
    } catch (cause) {
      reader.onResponseError(undefined, cause as Error)
    }
    return abort
  }

  abortAll(): void {
    for (const abort of this.#aborts) abort()
  }
}
