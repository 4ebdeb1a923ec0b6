/**
 * The ways to one upstream server: opens sessions over the transport of its target, and finds out which one an `mcp`
 * target really speaks.
 */
import { Pool } from 'undici'
import { BackendProtocolError } from './errors.js'
import { HttpTransport } from './http-transport.js'
import type { Introduction } from './legacy-client.js'
import { LegacyClient } from './legacy-client.js'
import type { ClientListener } from './server-description.js'
import { SseTransport } from './sse-transport.js'
import { openStdioTransport } from './stdio-transport.js'
import type { Target } from './target.js'
import type { OpenTransport } from './transport.js'

/** How servers that know HTTP+SSE alone answer an `initialize` by POST. */
const SSE_STATUSES: ReadonlySet<number> = new Set([400, 404, 405])

export class Connector {
  readonly #target: Target
  readonly #onStderr: (line: string) => void
  readonly #pool: Pool | undefined
  /** An `mcp` target that turned out to speak HTTP+SSE. */
  #speaksSse = false

  /** `onStderr` hears the lines of a child's stderr. */
  constructor(target: Target, onStderr: (line: string) => void) {
    this.#target = target
    this.#onStderr = onStderr
    if (target.endpoint.kind !== 'http') return
    this.#pool = new Pool(new URL(target.endpoint.url).origin, {
      // Deadlines are per call and per stream, and ours; a stream may be silent for hours.
      headersTimeout: 0,
      bodyTimeout: target.timeouts.idleMs,
      connect: { timeout: target.timeouts.connectMs },
    })
  }

  /** @throws as `LegacyClient.open` */
  async open(
    introduction: Introduction,
    listener: ClientListener,
    signal: AbortSignal,
  ): Promise<LegacyClient> {
    const open = (openTransport: OpenTransport): Promise<LegacyClient> =>
      LegacyClient.open(this.#target, openTransport, introduction, listener, signal)
    const { endpoint } = this.#target
    if (endpoint.kind !== 'http' || endpoint.protocol === 'sse') return open(this.#openTransport)
    return this.#openEither(open)
  }

  /** Sends what has no answer to a session that another process opened. What cannot be delivered is dropped. */
  async tell(sessionId: string | undefined, text: string): Promise<void> {
    const { endpoint } = this.#target
    if (endpoint.kind !== 'http' || sessionId === undefined) return
    const channel = { onMessage() {}, onClose() {}, onGap() {}, onNoise() {} }
    const pool = this.#httpPool()
    await HttpTransport.resume(this.#target, endpoint.url, pool, sessionId, channel).notify(text)
  }

  /** Breaks what is still connected. */
  async close(): Promise<void> {
    await this.#pool?.destroy()
  }

  /**
   * Streamable HTTP, or HTTP+SSE where the server does not know the other (2025-11-25 basic/transports, backwards
   * compatibility). What it turned out to speak is tried first next time.
   */
  async #openEither(open: (it: OpenTransport) => Promise<LegacyClient>): Promise<LegacyClient> {
    if (this.#speaksSse) {
      const client = await open(this.#openSse).catch(() => undefined)
      if (client !== undefined) return client
      this.#speaksSse = false
    }
    try {
      return await open(this.#openTransport)
    } catch (error) {
      const isRefusal = error instanceof BackendProtocolError && SSE_STATUSES.has(error.status ?? 0)
      if (!isRefusal) throw error
      const client = await open(this.#openSse).catch(() => undefined)
      if (client === undefined) throw error
      this.#speaksSse = true
      return client
    }
  }

  readonly #openTransport: OpenTransport = async (channel) => {
    const { endpoint } = this.#target
    if (endpoint.kind === 'stdio') {
      return openStdioTransport(this.#target, endpoint, channel, this.#onStderr)
    }
    if (endpoint.protocol === 'sse') return this.#openSse(channel)
    return new HttpTransport(this.#target, endpoint.url, this.#httpPool(), channel)
  }

  readonly #openSse: OpenTransport = async (channel) => {
    const { endpoint } = this.#target
    if (endpoint.kind !== 'http') throw new TypeError('a child process has no HTTP')
    return SseTransport.open(this.#target, endpoint.url, this.#httpPool(), channel)
  }

  #httpPool(): Pool {
    if (this.#pool === undefined) throw new TypeError('an http target has a pool')
    return this.#pool
  }
}
