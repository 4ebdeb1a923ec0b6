/**
 * The ways to one upstream server: finds out which era it speaks and, for a server of the 2025 era, which transport,
 * and opens clients accordingly.
 */
import type { Era, ReplyTo, SubjectToken, UpstreamPlace } from './call.js'
import { BackendProtocolError, BackendTimeoutError, BackendUnreachableError } from './errors.js'
import type { ForeignAnswer, ForeignRequest } from './forwarding.js'
import { forward } from './forwarding.js'
import type { Account, HttpDoor } from './http-door.js'
import { TokenDoor } from './http-door.js'
import { HostAddresses } from './host-addresses.js'
import { HttpLanes } from './http-lanes.js'
import { HttpTransport } from './http-transport.js'
import { NO_CONNECTION } from './input-loop.js'
import { LegacyClient } from './legacy-client.js'
import { ModernClient, NotModernError } from './modern-client.js'
import { ModernHttpTransport } from './modern-http-transport.js'
import type { ClientListener, ServerDescription } from './server-description.js'
import { SseTransport } from './sse-transport.js'
import { UpstreamTokens } from './oauth/tokens.js'
import { openStdioTransport } from './stdio-transport.js'
import type { Target } from './target.js'
import { callsForOthers } from './target.js'
import type { Channel, OpenTransport } from './transport.js'
import type { Introduction, UpstreamClient } from './upstream-client.js'

/** How servers that know HTTP+SSE alone answer an `initialize` by POST. */
const SSE_STATUSES: ReadonlySet<number> = new Set([400, 404, 405])
/** A server may be replaced by a newer one at the same address, and an old verdict would never show as wrong. */
export const VERDICT_MS = 10 * 60_000
/** Of the time for opening, what a child may leave our first question without an answer. */
const PROBE_SHARE = 0.5

/** Where nothing is to be heard. */
const DEAF: Channel = { onMessage() {}, onClose() {}, onGap() {}, onNoise() {} }

export class Connector {
  readonly #target: Target
  readonly #onStderr: (line: string) => void
  readonly #lanes: HttpLanes | undefined
  readonly #addresses: HostAddresses | undefined
  readonly #tokens: UpstreamTokens | undefined
  #verdict: { readonly era: Era; readonly at: number } | undefined
  /** An `mcp` target that turned out to speak HTTP+SSE. */
  #speaksSse = false

  /** `onStderr` hears the lines of a child's stderr. */
  constructor(target: Target, onStderr: (line: string) => void) {
    this.#target = target
    this.#onStderr = onStderr
    if (target.endpoint.kind !== 'http') return
    this.#tokens = target.auth && new UpstreamTokens(target.name, target.auth)
    this.#lanes = new HttpLanes(target, target.endpoint.url)
    this.#addresses = new HostAddresses(target.endpoint.url)
  }

  /** @throws as `LegacyClient.open` and `ModernClient.open` */
  async open(
    introduction: Introduction,
    listener: ClientListener,
    signal: AbortSignal,
  ): Promise<UpstreamClient> {
    if (this.#expectedEra() === 'legacy') {
      return this.#openLegacy(introduction, listener, signal).catch((error: unknown) => {
        // Where an old verdict leads nowhere, the server may have become another.
        this.#verdict = undefined
        throw error
      })
    }
    let word: unknown
    try {
      const client = await this.#openModern(introduction, listener, signal)
      this.#verdict = { era: 'modern', at: performance.now() }
      return client
    } catch (error) {
      if (this.#target.era === 'modern' || !this.#mayBeLegacy(error)) throw error
      word = error
    }
    const client = await this.#openLegacy(introduction, listener, signal)
    // A server that stumbled over the first question may be of either era all the same.
    if (word instanceof NotModernError) this.#verdict = { era: 'legacy', at: performance.now() }
    return client
  }

  /** Whether a server taken for an old one by its own word has become a newer one meanwhile. Never rejects. */
  async isNowModern(introduction: Introduction, signal: AbortSignal): Promise<boolean> {
    const isDecided = this.#target.era !== 'auto' || this.#verdict?.era !== 'legacy'
    if (isDecided || this.#target.endpoint.kind !== 'http') return false
    const silent = {
      onListChanged() {},
      onClose() {},
      onNoise() {},
      onUpdated() {},
      onLog() {},
    }
    try {
      await (await this.#openModern(introduction, silent, signal)).close()
      this.#verdict = undefined
      return true
    } catch {
      // It still is what it was, or cannot be asked now.
      return false
    }
  }

  /** Goes on in a session that another process has opened for this caller. */
  resume(
    { id, protocolVersion }: UpstreamPlace,
    introduction: Introduction,
    listener: ClientListener,
    server: ServerDescription,
  ): Promise<UpstreamClient> {
    const open: OpenTransport = async (channel) => this.#resumed(id, introduction.account, channel)
    return LegacyClient.resume(this.#target, open, introduction, listener, {
      ...server,
      protocolVersion,
    })
  }

  /** Ends a session of a caller's, whichever process uses it. Never rejects. */
  async end(
    { id, protocolVersion }: UpstreamPlace,
    subject: SubjectToken | undefined,
  ): Promise<void> {
    const transport = this.#resumed(id, () => subject, DEAF)
    transport.opened(protocolVersion)
    await transport.close()
  }

  /** Whether the server speaks HTTP+SSE, by the configuration or as it turned out. */
  get speaksSse(): boolean {
    const { endpoint } = this.#target
    return endpoint.kind === 'http' && (endpoint.protocol === 'sse' || this.#speaksSse)
  }

  /** Whether a session can be reached that this process did not open. */
  reaches({ connection }: ReplyTo): boolean {
    const isHttp = this.#target.endpoint.kind === 'http'
    return isHttp && !this.speaksSse && connection !== NO_CONNECTION
  }

  /**
   * Sends what has no answer to a session that another process opened, for this caller; without an id, to a server that
   * keeps no sessions. What cannot be delivered is dropped.
   */
  async tell(
    sessionId: string | undefined,
    text: string,
    subject: SubjectToken | undefined,
  ): Promise<void> {
    await this.#resumed(sessionId, () => subject, DEAF).notify(text)
  }

  /**
   * Passes on what is not MCP.
   * @throws BackendUnreachableError, BackendCredentialsError, or what its body broke off with
   */
  async forward(request: ForeignRequest): Promise<ForeignAnswer> {
    const { endpoint } = this.#target
    if (endpoint.kind !== 'http') throw new TypeError('a child process has no HTTP')
    const token = callsForOthers(this.#target)
      ? await this.#tokens?.onBehalfOf(request.subject)
      : await this.#tokens?.own()
    return forward(this.#target, endpoint.url, this.#httpLanes().calls, request, token)
  }

  /** As `CallLane.makeRoom`; a child process has no calls that wait. */
  makeRoom(has: number): boolean {
    return this.#lanes?.makeRoom(has) ?? false
  }

  /** Whether the host name has ceased to lead to an address that it led to, as seems so where there is doubt. Never rejects. */
  async leadsElsewhere(isInDoubt: boolean): Promise<boolean> {
    return (await this.#addresses?.look(isInDoubt)) ?? false
  }

  /** New connections from now on. */
  renew(): void {
    this.#lanes?.renew()
  }

  /** Breaks what is still connected. */
  async close(): Promise<void> {
    await this.#lanes?.destroy()
  }

  /** What the server is taken to speak; `undefined` where it has to be asked. */
  #expectedEra(): Era | undefined {
    const { era, endpoint } = this.#target
    if (era !== 'auto') return era
    if (endpoint.kind === 'http' && endpoint.protocol === 'sse') return 'legacy'
    if (this.#verdict === undefined || performance.now() - this.#verdict.at > VERDICT_MS) {
      this.#verdict = undefined
      return undefined
    }
    return this.#verdict.era
  }

  /** Old servers refuse what they do not know in many ways, break over it, or are silent. */
  #mayBeLegacy(error: unknown): boolean {
    if (error instanceof NotModernError) return true
    if (error instanceof BackendUnreachableError) return error.sent
    if (error instanceof BackendTimeoutError) return this.#target.endpoint.kind === 'stdio'
    return error instanceof BackendProtocolError && (error.status ?? 500) >= 500
  }

  #openModern(
    introduction: Introduction,
    listener: ClientListener,
    signal: AbortSignal,
  ): Promise<UpstreamClient> {
    const { endpoint, timeouts } = this.#target
    const open: OpenTransport =
      endpoint.kind === 'stdio'
        ? this.#transportOpener(introduction.account)
        : async () => {
            const door = this.#door(introduction.account)
            return new ModernHttpTransport(this.#target, endpoint.url, door)
          }
    const isProbe = endpoint.kind === 'stdio' && this.#target.era === 'auto'
    const timeoutMs = isProbe ? timeouts.openMs * PROBE_SHARE : timeouts.openMs
    return ModernClient.open(this.#target, open, introduction, listener, signal, timeoutMs)
  }

  async #openLegacy(
    introduction: Introduction,
    listener: ClientListener,
    signal: AbortSignal,
  ): Promise<UpstreamClient> {
    const open = (openTransport: OpenTransport): Promise<UpstreamClient> =>
      LegacyClient.open(this.#target, openTransport, introduction, listener, signal)
    const { endpoint } = this.#target
    const { account } = introduction
    if (endpoint.kind !== 'http' || endpoint.protocol === 'sse') {
      return open(this.#transportOpener(account))
    }
    return this.#openEither(open, account)
  }

  /**
   * Streamable HTTP, or HTTP+SSE where the server does not know the other (2025-11-25 basic/transports, backwards
   * compatibility). What it turned out to speak is tried first next time.
   */
  async #openEither(
    open: (it: OpenTransport) => Promise<UpstreamClient>,
    account: Account,
  ): Promise<UpstreamClient> {
    const openSse = this.#sseOpener(account)
    if (this.#speaksSse) {
      const client = await open(openSse).catch(() => undefined)
      if (client !== undefined) return client
      this.#speaksSse = false
    }
    try {
      return await open(this.#transportOpener(account))
    } catch (error) {
      const isRefusal = error instanceof BackendProtocolError && SSE_STATUSES.has(error.status ?? 0)
      if (!isRefusal) throw error
      const client = await open(openSse).catch(() => undefined)
      if (client === undefined) throw error
      this.#speaksSse = true
      return client
    }
  }

  #transportOpener(account: Account): OpenTransport {
    const { endpoint } = this.#target
    if (endpoint.kind === 'stdio') {
      return async (channel) => openStdioTransport(this.#target, endpoint, channel, this.#onStderr)
    }
    if (endpoint.protocol === 'sse') return this.#sseOpener(account)
    return async (channel) =>
      new HttpTransport(this.#target, endpoint.url, this.#door(account), channel)
  }

  #sseOpener(account: Account): OpenTransport {
    return async (channel) => {
      const { endpoint } = this.#target
      if (endpoint.kind !== 'http') throw new TypeError('a child process has no HTTP')
      return SseTransport.open(this.#target, endpoint.url, this.#door(account), channel)
    }
  }

  #door(account: Account): HttpDoor {
    const lanes = this.#httpLanes()
    if (this.#tokens === undefined) return lanes
    return new TokenDoor(lanes, this.#tokens, callsForOthers(this.#target) ? account : 'own')
  }

  #resumed(sessionId: string | undefined, account: Account, channel: Channel): HttpTransport {
    const { endpoint } = this.#target
    if (endpoint.kind !== 'http') throw new TypeError('a child process has no HTTP')
    return HttpTransport.resume(this.#target, endpoint.url, this.#door(account), sessionId, channel)
  }

  #httpLanes(): HttpLanes {
    if (this.#lanes === undefined) throw new TypeError('an http target has connections')
    return this.#lanes
  }
}
