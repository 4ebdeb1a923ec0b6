/**
 * HTTP+SSE towards an upstream server (2024-11-05 basic/transports): one event stream carries all that the server
 * says, and what we say is POSTed to the address that the stream begins with. The session ends with the stream.
 */
import type { Dispatcher } from 'undici'
import type { SubjectToken } from './call.js'
import { BackendProtocolError, BackendTimeoutError, BackendUnreachableError } from './errors.js'
import type { HttpDoor } from './http-door.js'
import { HttpExchanges } from './http-exchanges.js'
import type { Target } from './target.js'
import type { Message } from './wire/json-rpc.js'
import type { Channel, Exchange, Sent, Transport } from './transport.js'
import { NO_EXTRAS, notifying } from './transport.js'

export class SseTransport implements Transport {
  readonly isShared = true
  /** The stream cannot be moved, so nobody else reaches this session. */
  readonly sessionId = undefined
  readonly #target: Target
  readonly #url: URL
  readonly #exchanges: HttpExchanges
  readonly #channel: Channel
  #endpoint: string | undefined
  #closed = false

  private constructor(target: Target, url: string, door: HttpDoor, channel: Channel) {
    this.#target = target
    this.#url = new URL(url)
    this.#exchanges = new HttpExchanges(door)
    this.#channel = channel
  }

  /**
   * Opens the stream and waits for the address to post to.
   * @throws BackendUnreachableError, BackendTimeoutError, BackendProtocolError
   */
  static async open(
    target: Target,
    url: string,
    door: HttpDoor,
    channel: Channel,
  ): Promise<SseTransport> {
    const transport = new SseTransport(target, url, door, channel)
    try {
      await transport.#open()
    } catch (error) {
      await transport.close()
      throw error
    }
    return transport
  }

  send(text: string, exchange: Exchange, extras = NO_EXTRAS): Sent {
    const answer = {
      // The answer comes on the stream; the end of the POST only says that it was taken.
      onMessage: (message: Message) => this.#channel.onMessage(message),
      onEnd: () => undefined,
      onError: (error: Error) => exchange.onError(error),
    }
    return this.#post(text, answer, extras)
  }

  notify(text: string): Promise<void> {
    const onMessage = (message: Message): void => this.#channel.onMessage(message)
    return notifying((ends) => this.#post(text, { onMessage, ...ends }))
  }

  opened(): void {}

  async listen(): Promise<void> {}

  async close(): Promise<void> {
    this.#closed = true
    this.#exchanges.abortAll()
  }

  #open(): Promise<void> {
    return new Promise((resolve, reject) => {
      const { openMs } = this.#target.timeouts
      const late = (): void => {
        const message = `the server named no address to post to within ${openMs} ms`
        reject(new BackendTimeoutError(this.#target.name, message))
      }
      const deadline = openMs === 0 ? undefined : setTimeout(late, openMs)
      const fail = (error: Error): void => {
        clearTimeout(deadline)
        reject(error)
        if (!this.#closed) this.#channel.onClose(error)
      }
      this.#dispatch('GET', this.#path(), { accept: 'text/event-stream' }, null, {
        onEndpoint: (address) => {
          clearTimeout(deadline)
          this.#endpoint = this.#sameOrigin(address)
          if (this.#endpoint !== undefined) return resolve()
          // Somebody else's server must not get what is meant for this one.
          reject(this.#protocolError('the server sent us to another origin'))
        },
        onMessage: (message) => this.#channel.onMessage(message),
        onEnd: () => fail(new BackendUnreachableError(this.#target.name, 'the stream ended', true)),
        onError: fail,
      })
    })
  }

  #post(text: string, exchange: Exchange, extras = NO_EXTRAS): Sent {
    const headers = {
      ...extras.headers,
      'content-type': 'application/json',
      accept: 'application/json',
    }
    return this.#dispatch(
      'POST',
      this.#endpoint ?? this.#path(),
      headers,
      text,
      exchange,
      extras.subject,
      extras.party,
    )
  }

  #path(): string {
    return this.#url.pathname + this.#url.search
  }

  #sameOrigin(address: string): string | undefined {
    if (!URL.canParse(address, this.#url.href)) return undefined
    const { origin, pathname, search } = new URL(address, this.#url)
    return origin === this.#url.origin ? pathname + search : undefined
  }

  #protocolError(message: string): BackendProtocolError {
    return new BackendProtocolError(this.#target.name, message)
  }

  #dispatch(
    method: Dispatcher.HttpMethod,
    path: string,
    headers: Record<string, string>,
    body: string | null,
    exchange: Exchange,
    subject?: SubjectToken,
    party?: string,
  ): Sent {
    const options = {
      target: this.#target.name,
      hasSession: false,
      subject,
      party,
      isAcknowledgement: method === 'POST',
      isOneAnswer: false,
    }
    const all = { ...headers, ...this.#target.headers }
    return this.#exchanges.send({ method, path, headers: all, body }, options, exchange)
  }
}
