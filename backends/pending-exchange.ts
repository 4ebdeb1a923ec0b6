/** What comes of a request that waits for its answer. There is one for each call, so it makes no closures. */
import { BackendProtocolError } from './errors.js'
import type { Pending, PendingRequests } from './pending-requests.js'
import type { Exchange } from './transport.js'
import type { Message } from './wire/json-rpc.js'

export class PendingExchange implements Exchange {
  readonly #pending: Pending
  readonly #requests: PendingRequests
  readonly #onMessage: (message: Message, asker: Pending) => void

  constructor(
    pending: Pending,
    requests: PendingRequests,
    onMessage: (message: Message, asker: Pending) => void,
  ) {
    this.#pending = pending
    this.#requests = requests
    this.#onMessage = onMessage
  }

  onMessage(message: Message): void {
    this.#onMessage(message, this.#pending)
  }

  room(): Promise<void> | undefined {
    return this.#pending.call.room?.()
  }

  onEnd(): void {
    // Every answer ends; an error made for each would cost a tenth of what the gateway can do.
    if (this.#requests.get(this.#pending.id) !== this.#pending) return
    const message = 'the server ended its answer without a result'
    this.onError(new BackendProtocolError(this.#requests.target, message))
  }

  onError(error: Error): void {
    this.#requests.fail(this.#pending, error)
  }
}
