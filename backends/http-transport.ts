/**
 * Streamable HTTP towards an upstream server (2025-11-25 basic/transports), on undici's `dispatch`: promises,
 * web streams and global `fetch` cost several times the request itself (design.md §3). It knows the session
 * header and the two kinds of answer body, and nothing of what the messages mean.
 */
import type { Dispatcher } from 'undici'
import type { SubjectToken } from './call.js'
import {
  BackendCredentialsError,
  BackendProtocolError,
  BackendUnreachableError,
  UpstreamSessionLostError,
} from './errors.js'
import type { HttpDoor } from './http-door.js'
import { HttpExchanges } from './http-exchanges.js'
import { ResumingExchange } from './http-resumption.js'
import type { Target } from './target.js'
import type { Channel, Exchange, Sent, Transport } from './transport.js'
import { NO_EXTRAS, notifying, SETTLED } from './transport.js'

const ACCEPT_BOTH = 'application/json, text/event-stream'

/** A stream that ends sooner than this was not worth reopening at once. */
const SHORT_STREAM_MS = 5_000
const REOPEN_DELAY_MS = 1_000
const LISTEN_GRACE_MS = 1_000
const CLOSE_DEADLINE_MS = 2_000

export class HttpTransport implements Transport {
  readonly isShared = false
  readonly #target: Target
  readonly #door: HttpDoor
  readonly #path: string
  readonly #channel: Channel
  readonly #exchanges: HttpExchanges
  #sessionId: string | undefined
  #protocolVersion: string | undefined
  /** Takes over the id that the server gives the session. */
  readonly #adopt = (id: string): void => {
    this.#sessionId ??= id
  }
  #closed = false
  #listening: Promise<void> | undefined
  /** Whether the GET stream has been open before. */
  #listened = false
  #lastEventId = ''
  #reopenTimer: NodeJS.Timeout | undefined

  constructor(target: Target, url: string, door: HttpDoor, channel: Channel) {
    this.#target = target
    this.#door = door
    this.#exchanges = new HttpExchanges(door)
    this.#channel = channel
    const { pathname, search } = new URL(url)
    this.#path = pathname + search
  }

  get sessionId(): string | undefined {
    return this.#sessionId
  }

  /** Takes over a session that was opened elsewhere, to send to it. */
  static resume(
    target: Target,
    url: string,
    door: HttpDoor,
    sessionId: string | undefined,
    channel: Channel,
  ): HttpTransport {
    const transport = new HttpTransport(target, url, door, channel)
    transport.#sessionId = sessionId
    return transport
  }

  send(text: string, exchange: Exchange, extras = NO_EXTRAS): Sent {
    return new ResumingExchange(exchange, (it, lastEventId) =>
      lastEventId === undefined
        ? this.#post(text, it, extras)
        : this.#get(it, lastEventId, true, extras.subject),
    )
  }

  notify(text: string): Promise<void> {
    return notifying((ends) => this.#post(text, { onMessage: () => undefined, ...ends }))
  }

  opened(protocolVersion: string): void {
    this.#protocolVersion = protocolVersion
  }

  listen(): Promise<void> {
    this.#listening ??= new Promise((resolve) => {
      // Some servers hold the headers of a stream back until its first event.
      const grace = setTimeout(resolve, LISTEN_GRACE_MS)
      this.#openStream(() => {
        clearTimeout(grace)
        resolve()
      })
    })
    return this.#listening
  }

  async close(leavesSession = false): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#reopenTimer)
    this.#exchanges.abortAll()
    if (leavesSession || this.#sessionId === undefined || this.#door.closed) return
    // 2025-11-25 basic/transports: a client that no longer needs its session SHOULD delete it; 405 is fine.
    await new Promise<void>((resolve) => {
      const settle = (): void => {
        clearTimeout(deadline)
        resolve()
      }
      const deadline = setTimeout(settle, CLOSE_DEADLINE_MS)
      this.#dispatch('DELETE', this.#headers(ACCEPT_BOTH), null, true, {
        onMessage: () => undefined,
        onEnd: settle,
        onError: settle,
      })
    })
  }

  #headers(accept: string): Record<string, string> {
    const headers: Record<string, string> = { ...this.#target.headers, accept }
    if (this.#sessionId !== undefined) headers['mcp-session-id'] = this.#sessionId
    if (this.#protocolVersion !== undefined) headers['mcp-protocol-version'] = this.#protocolVersion
    return headers
  }

  #post(text: string, exchange: Exchange, extras = NO_EXTRAS): Sent {
    const own = this.#headers(ACCEPT_BOTH)
    const headers = own
    for (const name in extras.headers) headers[name] ??= extras.headers[name] ?? ''
    headers['content-type'] = 'application/json'
    return this.#dispatch('POST', headers, text, true, exchange, extras.subject, extras.party)
  }

  /** A stream of its own, or, behind the event of an id, the rest of another. */
  #get(
    exchange: Exchange,
    lastEventId: string,
    isOneAnswer: boolean,
    subject?: SubjectToken,
  ): Sent {
    if (this.#closed) return SETTLED
    const headers = this.#headers('text/event-stream')
    if (lastEventId !== '') headers['last-event-id'] = lastEventId
    return this.#dispatch('GET', headers, null, isOneAnswer, exchange, subject)
  }

  #dispatch(
    method: Dispatcher.HttpMethod,
    headers: Record<string, string>,
    body: string | null,
    isOneAnswer: boolean,
    exchange: Exchange,
    subject?: SubjectToken,
    party?: string,
  ): Sent {
    const options = {
      target: this.#target.name,
      isOneAnswer,
      subject,
      party,
      hasSession: this.#sessionId !== undefined,
      onSessionId: this.#adopt,
    }
    return this.#exchanges.send({ method, path: this.#path, headers, body }, options, exchange)
  }

  /** Calls `onSettled` when the stream is open, or refused for good. */
  #openStream(onSettled: () => void): void {
    if (this.#closed) return onSettled()
    const askedAt = performance.now()
    const lastEventId = this.#lastEventId
    const exchange: Exchange = {
      onOpen: () => {
        // Not every server that numbers events keeps them: what was said meanwhile may be lost all the same.
        if (this.#listened) this.#channel.onGap()
        this.#listened = true
        onSettled()
      },
      onEvent: (id) => {
        if (id !== undefined) this.#lastEventId = id
      },
      onMessage: (message) => this.#channel.onMessage(message),
      onEnd: () => this.#reopen(askedAt, onSettled),
      onError: (error) => {
        if (this.#closed) return onSettled()
        const isRefusal =
          error instanceof BackendProtocolError ||
          error instanceof BackendCredentialsError ||
          error instanceof UpstreamSessionLostError
        if (isRefusal && lastEventId !== '') {
          // The server may only have forgotten the event.
          this.#lastEventId = ''
          return this.#openStream(onSettled)
        }
        if (isRefusal && !this.#listened) {
          // Servers need not have this stream: 405, or 404 and 400 where they do not route GET.
          return onSettled()
        }
        if (isRefusal || (error instanceof BackendUnreachableError && !error.sent)) {
          return this.#lose(error)
        }
        this.#reopen(askedAt, onSettled)
      },
    }
    this.#get(exchange, lastEventId, false)
  }

  #reopen(askedAt: number, onSettled: () => void): void {
    if (this.#closed) return
    const delayMs = performance.now() - askedAt < SHORT_STREAM_MS ? REOPEN_DELAY_MS : 0
    this.#reopenTimer = setTimeout(() => this.#openStream(onSettled), delayMs)
  }

  #lose(error: Error): void {
    if (!this.#closed) this.#channel.onClose(error)
  }
}
