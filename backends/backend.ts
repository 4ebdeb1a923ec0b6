/**
 * A live target. It keeps one session of its own, the monitor, through which lists are read and changes are
 * heard, and opens one more for each caller when that caller first needs it. It reconnects by itself
 * and never gives up; what callers see meanwhile is decided in federation.
 */
import { setMaxListeners } from 'node:events'
import { Pool } from 'undici'
import { BackOff } from './back-off.js'
import type { Call, Caller, ReplyTo } from './call.js'
import type { SessionListener } from './caller-sessions.js'
import { CallerSessions, MONITOR } from './caller-sessions.js'
import {
  BackendProtocolError,
  BackendUnreachableError,
  isBackendError,
  reasonOf,
  UpstreamSessionLostError,
} from './errors.js'
import { HttpTransport } from './http-transport.js'
import type { ListKind, ServerDescription } from './legacy-client.js'
import { LegacyClient } from './legacy-client.js'
import { SseTransport } from './sse-transport.js'
import { openStdioTransport } from './stdio-transport.js'
import type { Target } from './target.js'
import type { OpenTransport } from './transport.js'
import type { JsonObject, RawObject } from './wire/raw-json.js'
import { EMPTY_OBJECT } from './wire/raw-json.js'

/** `since` is in milliseconds since the epoch. */
export type BackendState =
  | { readonly status: 'connecting'; readonly since: number }
  | { readonly status: 'ready'; readonly since: number; readonly server: ServerDescription }
  | { readonly status: 'unreachable'; readonly since: number; readonly reason: string }
  | { readonly status: 'closed'; readonly since: number }

export interface BackendListener {
  onState(backend: Backend, state: BackendState): void
  onListChanged(backend: Backend, kind: ListKind): void
  /** A line of the child's stderr. */
  onStderr(backend: Backend, line: string): void
  /** What the server sent against the protocol, and was passed over. */
  onNoise(backend: Backend, what: string): void
}

/** A server that keeps its monitor this long has recovered; a sooner loss counts as one more failure. */
const STABLE_MS = 10_000
const PING_INTERVAL_MS = 15_000
/** How servers that know HTTP+SSE alone answer an `initialize` by POST. */
const SSE_STATUSES: ReadonlySet<number> = new Set([400, 404, 405])

export class Backend {
  readonly target: Target
  readonly #clientInfo: JsonObject
  readonly #listener: BackendListener
  readonly #pool: Pool | undefined
  readonly #sessions: CallerSessions
  readonly #closing = new AbortController()
  #state: BackendState = { status: 'connecting', since: Date.now() }
  #monitor: LegacyClient | undefined
  #loseMonitor: (reason: Error) => void = () => undefined
  #waiting: (() => void)[] = []
  /** An `mcp` target that turned out to speak HTTP+SSE. */
  #speaksSse = false
  #running = 0
  #onIdle: () => void = () => undefined

  constructor(target: Target, clientInfo: JsonObject, listener: BackendListener) {
    this.target = target
    this.#clientInfo = clientInfo
    this.#listener = listener
    this.#sessions = new CallerSessions(target, {
      open: (key, capabilities, sessionListener) => this.#open(key, capabilities, sessionListener),
      monitor: () => this.#monitorSoon(),
      timeoutMs: target.timeouts.openMs,
    })
    // Each session being opened listens to it.
    setMaxListeners(0, this.#closing.signal)
    if (target.endpoint.kind === 'http') {
      this.#pool = new Pool(new URL(target.endpoint.url).origin, {
        // Deadlines are per call and per stream, and ours; a stream may be silent for hours.
        headersTimeout: 0,
        bodyTimeout: target.timeouts.idleMs,
        connect: { timeout: target.timeouts.connectMs },
      })
    }
  }

  get state(): BackendState {
    return this.#state
  }

  /** Connects, and connects again whenever the connection is lost, until `close`. */
  start(): void {
    void this.#keepMonitor()
  }

  /**
   * Passes a caller's request on, in the caller's own session.
   * @throws JsonRpcError as the server gave it, or one of the errors of `errors.ts`
   */
  async call(call: Call): Promise<RawObject> {
    this.#running++
    try {
      return await this.#call(call)
    } finally {
      this.#running--
      if (this.#running === 0) this.#onIdle()
    }
  }

  /** Lets the calls that are running finish, for so long, and closes. Nobody routes new ones here any more. */
  async retire(deadlineMs: number): Promise<void> {
    if (this.#running > 0) {
      await new Promise<void>((resolve) => {
        const deadline = setTimeout(resolve, deadlineMs)
        this.#onIdle = () => {
          clearTimeout(deadline)
          resolve()
        }
      })
    }
    await this.close()
  }

  async #call(call: Call): Promise<RawObject> {
    for (let attempt = 0; ; attempt++) {
      const client = await this.#sessions.get(call.caller)
      try {
        return await client.request(call, this.target.timeouts.callMs)
      } catch (error) {
        if (!(error instanceof UpstreamSessionLostError)) throw error
        this.#sessions.discard(client)
        // Refused at the door, so it did not run: once more in a new session, which cannot be stale again.
        if (attempt > 0) throw error
      }
    }
  }

  /**
   * Asks for a list, through the backend's own session.
   * @throws as `call`
   */
  async list(method: string, params: RawObject): Promise<RawObject> {
    if (this.#monitor === undefined) throw this.#unreachable()
    try {
      return await this.#monitor.request({ method, params }, this.target.timeouts.listMs)
    } catch (error) {
      if (error instanceof UpstreamSessionLostError) this.#loseMonitor(error)
      throw error
    }
  }

  /**
   * Sends to a server what a caller answers to a request of that server's, or tells of its progress. Another
   * process may have relayed the request; over HTTP its session is reached all the same. What cannot be
   * delivered any more is dropped.
   */
  async answer(replyTo: ReplyTo, text: string, isFinal: boolean): Promise<void> {
    const isOurs = replyTo.sessionKey === MONITOR
    const client = isOurs ? this.#monitor : this.#sessions.openClient(replyTo.sessionKey)
    if (client !== undefined && client.sessionId === replyTo.upstreamSessionId) {
      client.reply(text)
      if (isFinal) client.answered(replyTo.id)
      return
    }
    const { endpoint } = this.target
    if (endpoint.kind !== 'http' || replyTo.upstreamSessionId === undefined) return
    if (this.#pool === undefined) return
    const { upstreamSessionId } = replyTo
    const channel = { onMessage() {}, onClose() {}, onGap() {}, onNoise() {} }
    await HttpTransport.resume(
      this.target,
      endpoint.url,
      this.#pool,
      upstreamSessionId,
      channel,
    ).notify(text)
  }

  /** The caller's roots are others than before. */
  rootsChanged(caller: Caller): void {
    this.#sessions.rootsChanged(caller)
  }

  /** The caller wants other log messages than before. */
  async setLogLevel(caller: Caller): Promise<void> {
    await this.#sessions.setLogLevel(caller)
  }

  /**
   * Follows a resource for a caller; `onUpdated` hears of it, or of parts of it, until it is unsubscribed or released.
   * @throws as `call`
   */
  async subscribe(caller: Caller, uri: string, onUpdated: (uri: string) => void): Promise<void> {
    await this.#sessions.subscribe(caller, uri, onUpdated)
  }

  /** @throws as `call` */
  async unsubscribe(caller: Caller, uri: string): Promise<void> {
    await this.#sessions.unsubscribe(caller, uri)
  }

  /** The caller is gone: ends the sessions that nobody else uses. */
  release(callerKey: string): void {
    this.#sessions.release(callerKey)
  }

  async close(): Promise<void> {
    if (this.#state.status === 'closed') return
    this.#setState({ status: 'closed', since: Date.now() })
    this.#closing.abort()
    this.#loseMonitor(this.#unreachable())
    await Promise.all([this.#monitor?.close(), this.#sessions.close()])
    await this.#pool?.destroy()
  }

  /** A server that is just being started again is worth waiting for; one that failed to start is not. */
  async #monitorSoon(): Promise<LegacyClient> {
    while (this.#state.status === 'connecting') {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    if (this.#monitor === undefined) throw this.#unreachable()
    return this.#monitor
  }

  #unreachable(): BackendUnreachableError {
    const reason = this.#state.status === 'unreachable' ? this.#state.reason : 'it is not connected'
    return new BackendUnreachableError(this.target.name, reason, false)
  }

  #open(
    sessionKey: string,
    capabilities: JsonObject,
    sessionListener: SessionListener,
  ): Promise<LegacyClient> {
    const listener = {
      ...sessionListener,
      onListChanged: (kind: ListKind) => this.#listener.onListChanged(this, kind),
      onNoise: (what: string) => this.#listener.onNoise(this, what),
    }
    const introduction = { clientInfo: this.#clientInfo, capabilities, sessionKey }
    const open = (openTransport: OpenTransport): Promise<LegacyClient> =>
      LegacyClient.open(this.target, openTransport, introduction, listener, this.#closing.signal)
    const { endpoint } = this.target
    if (endpoint.kind !== 'http' || endpoint.protocol === 'sse') return open(this.#openTransport)
    return this.#openEither(open)
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
    const { endpoint } = this.target
    if (endpoint.kind === 'stdio') {
      return openStdioTransport(this.target, endpoint, channel, (line) =>
        this.#listener.onStderr(this, line),
      )
    }
    if (endpoint.protocol === 'sse') return this.#openSse(channel)
    return new HttpTransport(this.target, endpoint.url, this.#httpPool(), channel)
  }

  readonly #openSse: OpenTransport = async (channel) => {
    const { endpoint } = this.target
    if (endpoint.kind !== 'http') throw new TypeError('a child process has no HTTP')
    return SseTransport.open(this.target, endpoint.url, this.#httpPool(), channel)
  }

  #httpPool(): Pool {
    if (this.#pool === undefined) throw new TypeError('an http target has a pool')
    return this.#pool
  }

  async #keepMonitor(): Promise<void> {
    const backOff = new BackOff()
    const { signal } = this.#closing
    while (!signal.aborted) {
      const reason = await this.#monitorOnce(() => backOff.reset())
      this.#monitor = undefined
      if (signal.aborted) return
      await this.#backOff(backOff, reason)
    }
  }

  /** Connects and stays connected for as long as that goes. Returns why it ended. */
  async #monitorOnce(onStable: () => void): Promise<Error> {
    const loss = new Promise<Error>((resolve) => (this.#loseMonitor = resolve))
    let client: LegacyClient
    try {
      client = await this.#open(
        MONITOR,
        {},
        {
          ...this.#sessions.shared,
          onClose: this.#loseMonitor,
        },
      )
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error))
    }
    // Lists are read once changes to them can be heard, so that none falls between.
    const lost = await Promise.race([client.listen(), loss])
    if (lost === undefined && !this.#closing.signal.aborted) {
      this.#monitor = client
      this.#sessions.shared.onOpen(client)
      this.#setState({ status: 'ready', since: Date.now(), server: client.server })
      const stable = setTimeout(onStable, STABLE_MS).unref()
      const pings = this.#startPings(client)
      await loss
      clearTimeout(stable)
      clearInterval(pings)
    }
    // It may take its time to say goodbye to a server that is gone.
    void client.close()
    return loss
  }

  /**
   * A server that keeps no GET stream, or whose host vanished without a word, shows only when asked. A busy
   * child process is left alone: its exit is heard.
   */
  #startPings(client: LegacyClient): NodeJS.Timeout | undefined {
    if (this.target.endpoint.kind !== 'http') return undefined
    const request = { method: 'ping', params: EMPTY_OBJECT }
    return setInterval(() => {
      client.request(request, this.target.timeouts.openMs).catch((error: unknown) => {
        // An error answer is an answer all the same.
        if (isBackendError(error)) this.#loseMonitor(error)
      })
    }, PING_INTERVAL_MS).unref()
  }

  async #backOff(backOff: BackOff, error: Error): Promise<void> {
    const wasReady = this.#state.status === 'ready'
    const waited = backOff.wait(this.#closing.signal)
    // The first reconnection comes at once, and callers may wait for it; after that, they are told.
    if (wasReady && backOff.failures === 1) {
      this.#setState({ status: 'connecting', since: Date.now() })
    } else if (this.#state.status !== 'closed') {
      const since = this.#state.status === 'unreachable' ? this.#state.since : Date.now()
      this.#setState({ status: 'unreachable', since, reason: reasonOf(error) })
    }
    await waited
  }

  #setState(state: BackendState): void {
    this.#state = state
    for (const wake of this.#waiting.splice(0)) wake()
    this.#listener.onState(this, state)
  }
}
