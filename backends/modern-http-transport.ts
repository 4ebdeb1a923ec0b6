/**
 * Streamable HTTP of 2026-07-28 towards an upstream server: each request stands for itself, in one POST whose end is
 * the end of the request. There is no session, no GET and no resumption.
 */
import type { HttpDoor } from './http-door.js'
import { HttpExchanges } from './http-exchanges.js'
import type { Target } from './target.js'
import type { Exchange, Transport, Sent } from './transport.js'
import { NO_EXTRAS } from './transport.js'
import { MODERN_VERSION } from './wire/modern.js'

export class ModernHttpTransport implements Transport {
  readonly isShared = false
  readonly sessionId = undefined
  readonly #target: Target
  readonly #path: string
  readonly #exchanges: HttpExchanges

  constructor(target: Target, url: string, door: HttpDoor) {
    this.#target = target
    this.#exchanges = new HttpExchanges(door)
    const { pathname, search } = new URL(url)
    this.#path = pathname + search
  }

  send(text: string, exchange: Exchange, { headers, subject, party } = NO_EXTRAS): Sent {
    const request = {
      method: 'POST',
      path: this.#path,
      headers: this.#headers(headers),
      body: text,
    } as const
    const options = {
      target: this.#target.name,
      isOneAnswer: true,
      hasSession: false,
      subject,
      party,
    }
    return this.#exchanges.send(request, options, exchange)
  }

  /** With those of the message, of which none takes the place of ours. */
  #headers(extra: Readonly<Record<string, string>> | undefined): Record<string, string> {
    const headers: Record<string, string> = {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'mcp-protocol-version': MODERN_VERSION,
      ...this.#target.headers,
    }
    for (const name in extra) headers[name] ??= extra[name] ?? ''
    return headers
  }

  /** Nothing is told to a server of this revision but requests. */
  async notify(): Promise<void> {}

  opened(): void {}

  async listen(): Promise<void> {}

  async close(): Promise<void> {
    this.#exchanges.abortAll()
  }
}
