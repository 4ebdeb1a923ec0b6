/**
 * The session that a backend keeps of its own: lists are read and changes heard through it. It is opened again whenever it
 * is lost, for ever, and asks now and then whether the server is still there.
 */
import { BackOff } from './back-off.js'
import type { Era } from './call.js'
import { VERDICT_MS } from './connector.js'
import {
  BackendProtocolError,
  BackendTimeoutError,
  BackendUnreachableError,
  isBackendError,
} from './errors.js'
import { askNowAndThen } from './health-checks.js'
import type { ServerDescription } from './server-description.js'
import type { Target } from './target.js'
import type { UpstreamClient } from './upstream-client.js'
import { JsonRpcError } from './wire/json-rpc.js'

/** `since` is in milliseconds since the epoch. */
export type BackendState =
  | { readonly status: 'connecting'; readonly since: number }
  | { readonly status: 'ready'; readonly since: number; readonly server: ServerDescription }
  | { readonly status: 'unreachable'; readonly since: number; readonly reason: string }
  | { readonly status: 'closed'; readonly since: number }

export interface MonitorOptions {
  readonly target: Target
  /** Aborted when the session is no longer wanted. */
  readonly closing: AbortSignal
  /** Opens the session, of whose end `onClose` hears. */
  readonly open: (onClose: (reason: Error) => void) => Promise<UpstreamClient>
  /** Whether a server taken for an old one has become a newer one. Never rejects. */
  readonly isNowModern: () => Promise<boolean>
  /** It is connected; the state says so next. */
  readonly onConnected: (client: UpstreamClient) => void
  readonly onState: (state: BackendState) => void
  /** It is connected, or has been asked so often: its host name may lead elsewhere by now. Never rejects. */
  readonly lookUp: () => Promise<void>
  /** The server does not refuse, and says nothing: it hangs, or its connections lead nowhere. */
  readonly onSilence: (error: BackendTimeoutError) => void
  /** Why something failed, in words for everybody to read. */
  readonly reasonFor: (error: unknown) => string
}

/** A server that keeps its monitor this long has recovered; a sooner loss counts as one more failure. */
const STABLE_MS = 10_000
/** A server that comes back is noticed this soon. A child process costs more to try. */
const LONGEST_AWAY_MS = { http: 5_000, stdio: 15_000 } as const
/** With each so many questions whether the server is there, its host name is looked up. */
const ASKED_PER_LOOK = 4
const TOO_MANY_REQUESTS = 429

export class Monitor {
  readonly #options: MonitorOptions
  #state: BackendState = { status: 'connecting', since: Date.now() }
  #client: UpstreamClient | undefined
  #lose: (reason: Error) => void = () => undefined
  #waiting: (() => void)[] = []
  /** What the server spoke when it was last connected. */
  #lastEra: Era = 'legacy'
  #lastVersion = ''
  readonly #patience: BackOff
  /** Ends the wait before the next attempt to connect. */
  #hurry = new AbortController()

  constructor(options: MonitorOptions) {
    this.#options = options
    this.#patience = new BackOff(LONGEST_AWAY_MS[options.target.endpoint.kind])
  }

  get state(): BackendState {
    return this.#state
  }

  get client(): UpstreamClient | undefined {
    return this.#client
  }

  /** What the server speaks, or spoke when it was last connected. */
  get era(): Era {
    return this.#client?.era ?? this.#lastEra
  }

  /** The revision of the protocol that was agreed on when it was last connected; '' before. */
  get version(): string {
    return this.#lastVersion
  }

  /** Connects, and connects again whenever the connection is lost, until closed. */
  start(): void {
    void this.#keep()
  }

  /** The session as it is now. @throws BackendUnreachableError */
  now(): UpstreamClient {
    if (this.#client === undefined) throw this.#unreachable()
    return this.#client
  }

  /** A server that is just being started again is worth waiting for; one that failed to start is not. @throws as `now` */
  async soon(): Promise<UpstreamClient> {
    while (this.#state.status === 'connecting') {
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    return this.now()
  }

  /** The session is of no use any more: another is opened. */
  lose(reason: Error): void {
    this.#lose(reason)
  }

  /** Connects anew, at once. */
  reconnect(): void {
    this.#patience.reset()
    this.#hurry.abort()
    if (this.#state.status === 'ready') this.#lose(new Error('it is connected anew'))
  }

  /**
   * Asks the server whether it is there, and connects anew where it is not.
   * @throws as `UpstreamClient.ping`, and `now`
   */
  async ask(): Promise<void> {
    const client = this.now()
    try {
      await client.ping(this.#options.target.health.timeoutMs)
    } catch (error) {
      // An error answer is an answer all the same.
      if (error instanceof JsonRpcError || isBusy(error)) return
      if (error instanceof BackendTimeoutError) this.#options.onSilence(error)
      if (isBackendError(error) && client === this.#client) this.#lose(error)
      throw error
    }
  }

  /** What waits for the session is told; the session itself ends with `closing`. */
  close(): void {
    this.#setState({ status: 'closed', since: Date.now() })
    this.#lose(this.#unreachable())
  }

  #unreachable(): BackendUnreachableError {
    const reason = this.#state.status === 'unreachable' ? this.#state.reason : 'it is not connected'
    return new BackendUnreachableError(this.#options.target.name, reason, false)
  }

  async #keep(): Promise<void> {
    const { closing } = this.#options
    while (!closing.aborted) {
      const reason = await this.#once(() => this.#patience.reset())
      this.#client = undefined
      if (closing.aborted) return
      await this.#backOff(reason)
    }
  }

  /** Connects and stays connected for as long as that goes. Returns why it ended. */
  async #once(onStable: () => void): Promise<Error> {
    const loss = new Promise<Error>((resolve) => (this.#lose = resolve))
    let client: UpstreamClient
    try {
      client = await this.#options.open(this.#lose)
    } catch (error) {
      if (error instanceof BackendTimeoutError) this.#options.onSilence(error)
      return error instanceof Error ? error : new Error(String(error))
    }
    // Lists are read once changes to them can be heard, so that none falls between.
    const lost = await Promise.race([client.listen(), loss])
    if (lost === undefined && !this.#options.closing.aborted) {
      this.#client = client
      this.#lastEra = client.era
      this.#lastVersion = client.server.protocolVersion
      this.#options.onConnected(client)
      this.#setState({ status: 'ready', since: Date.now(), server: client.server })
      const stable = setTimeout(onStable, STABLE_MS).unref()
      const stopAsking = this.#askNowAndThen()
      const doubts = setInterval(() => void this.#doubt(), VERDICT_MS).unref()
      await loss
      clearTimeout(stable)
      stopAsking?.()
      clearInterval(doubts)
    }
    void this.#partWith(client)
    return loss
  }

  /** It may take its time: a server that seems gone may only be slow, and callers wait for it in this session. */
  async #partWith(client: UpstreamClient): Promise<void> {
    const { closing } = this.#options
    const close = (): void => void client.close()
    if (closing.aborted) return close()
    closing.addEventListener('abort', close)
    await client.finish()
    closing.removeEventListener('abort', close)
  }

  /** A busy child process is left alone: its exit is heard. */
  #askNowAndThen(): (() => void) | undefined {
    const { endpoint, health } = this.#options.target
    if (endpoint.kind !== 'http' || health.intervalMs === 0) return undefined
    const { lookUp } = this.#options
    void lookUp()
    let asked = 0
    const ask = async (): Promise<void> => {
      // What goes wrong has ended the session.
      await this.ask().catch(() => undefined)
      if (++asked % ASKED_PER_LOOK === 0) await lookUp()
    }
    return askNowAndThen(ask, health.intervalMs)
  }

  /** A server that was replaced by a newer one at the same address would be spoken to as an old one for ever. */
  async #doubt(): Promise<void> {
    if (await this.#options.isNowModern()) {
      this.#lose(new Error('the server has become a newer one'))
    }
  }

  async #backOff(error: Error): Promise<void> {
    const wasReady = this.#state.status === 'ready'
    this.#hurry = new AbortController()
    const either = AbortSignal.any([this.#options.closing, this.#hurry.signal])
    const waited = this.#patience.wait(either)
    // The first reconnection comes at once, and callers may wait for it; after that, they are told.
    if (wasReady && this.#patience.failures === 1) {
      this.#setState({ status: 'connecting', since: Date.now() })
    } else if (this.#state.status !== 'closed') {
      const since = this.#state.status === 'unreachable' ? this.#state.since : Date.now()
      const reason = this.#options.reasonFor(error)
      this.#setState({ status: 'unreachable', since, reason })
    }
    await waited
  }

  #setState(state: BackendState): void {
    this.#state = state
    for (const wake of this.#waiting.splice(0)) wake()
    this.#options.onState(state)
  }
}

/** It has no time for us now, and is there. */
function isBusy(error: unknown): boolean {
  return error instanceof BackendProtocolError && error.status === TOO_MANY_REQUESTS
}
