/**
 * A live target. It keeps one session of its own, the monitor, through which lists are read and changes are
 * heard, and opens one more for each caller when that caller first needs it. It reconnects by itself
 * and never gives up; what callers see meanwhile is decided in federation.
 */
import { setMaxListeners } from 'node:events'
import { BackOff } from './back-off.js'
import type { Circuit } from './circuit-breaker.js'
import { CircuitBreaker } from './circuit-breaker.js'
import type { Call, Caller, CallWatcher, Era, ReplyTo } from './call.js'
import { CallSender } from './call-sender.js'
import type { SessionListener } from './caller-sessions.js'
import { CallerSessions, MONITOR } from './caller-sessions.js'
import type { ForeignAnswer, ForeignRequest } from './forwarding.js'
import type { Account } from './http-door.js'
import { Connector, VERDICT_MS } from './connector.js'
import { askNowAndThen } from './health-checks.js'
import {
  BackendProtocolError,
  BackendTimeoutError,
  BackendUnreachableError,
  isBackendError,
  reasonOf,
  UpstreamSessionLostError,
} from './errors.js'
import type { ListKind, ServerDescription } from './server-description.js'
import type { Target } from './target.js'
import type { TaskIds } from './task-calls.js'
import { mayConcernTask, translateTaskAnswer, translateTaskCall } from './task-calls.js'
import { tracedCall } from './trace-headers.js'
import type { UpstreamClient } from './upstream-client.js'
import type { ErrorMessage, ResultMessage } from './wire/json-rpc.js'
import { errorText, JsonRpcError, notificationText, resultText } from './wire/json-rpc.js'
import type { JsonObject, RawObject } from './wire/raw-json.js'
import { withMembers } from './wire/raw-json.js'

/** `since` is in milliseconds since the epoch. */
export type BackendState =
  | { readonly status: 'connecting'; readonly since: number }
  | { readonly status: 'ready'; readonly since: number; readonly server: ServerDescription }
  | { readonly status: 'unreachable'; readonly since: number; readonly reason: string }
  | { readonly status: 'closed'; readonly since: number }

export interface BackendListener {
  onState(backend: Backend, state: BackendState): void
  onListChanged(backend: Backend, kind: ListKind): void
  /** It is left alone, or no longer. */
  onCircuit(backend: Backend, circuit: Circuit): void
  /** A line of the child's stderr. */
  onStderr(backend: Backend, line: string): void
  /** What the server sent against the protocol, and was passed over; told once. */
  onNoise(backend: Backend, what: string): void
}

/** What all backends of a gateway have in common. */
export interface BackendContext {
  /** How the gateway introduces itself to servers. */
  readonly clientInfo: JsonObject
  readonly taskIds: TaskIds
  /** Takes secrets out of what a server says, for logs and reports; what it says to callers is theirs. */
  readonly redact: (text: string) => string
  /** Hears of what the gateway itself asks. */
  readonly watcher?: CallWatcher
}

/** A server that keeps its monitor this long has recovered; a sooner loss counts as one more failure. */
const STABLE_MS = 10_000
/** A server that comes back is noticed this soon. A child process costs more to try. */
const LONGEST_AWAY_MS = { http: 5_000, stdio: 15_000 } as const
const TOO_MANY_REQUESTS = 429
const MAX_NOISE = 16

export class Backend {
  readonly target: Target
  readonly #context: BackendContext
  readonly #listener: BackendListener
  readonly #connector: Connector
  readonly #sessions: CallerSessions
  readonly #closing = new AbortController()
  readonly #patience: BackOff
  /** Ends the wait before the next attempt to connect. */
  #hurry = new AbortController()
  #state: BackendState = { status: 'connecting', since: Date.now() }
  #monitor: UpstreamClient | undefined
  #loseMonitor: (reason: Error) => void = () => undefined
  #waiting: (() => void)[] = []
  readonly #noise = new Set<string>()
  readonly #breaker: CircuitBreaker
  readonly #calls: CallSender
  /** What the server spoke when it was last connected. */
  #lastEra: Era = 'legacy'
  #lastVersion = ''
  #running = 0
  #onIdle: () => void = () => undefined

  constructor(target: Target, context: BackendContext, listener: BackendListener) {
    this.target = target
    this.#patience = new BackOff(LONGEST_AWAY_MS[target.endpoint.kind])
    this.#context = context
    this.#listener = listener
    this.#sessions = new CallerSessions(target, {
      open: (key, capabilities, sessionListener, account) =>
        this.#open(key, capabilities, sessionListener, account),
      monitor: () => this.#monitorSoon(),
      era: () => this.#monitor?.era ?? this.#lastEra,
      timeoutMs: target.timeouts.openMs,
    })
    // Each session being opened listens to it.
    setMaxListeners(0, this.#closing.signal)
    this.#breaker = new CircuitBreaker({
      target: target.name,
      settings: target.circuitBreaker,
      probe: () => this.#ask(),
      onChange: (circuit) => listener.onCircuit(this, circuit),
      reasonFor: (error) => this.reasonFor(error),
    })
    const { signal } = this.#closing
    this.#calls = new CallSender(target, this.#sessions, this.#breaker, signal)
    this.#connector = new Connector(target, (line) => listener.onStderr(this, context.redact(line)))
  }

  get state(): BackendState {
    return this.#state
  }

  /** Whether it is called, or left alone. */
  get circuit(): Circuit {
    return this.#breaker.circuit
  }

  /** How often something was sent again. */
  get retries(): number {
    return this.#calls.retries
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
    this.#breaker.admit(this.#running)
    this.#running++
    const asking = call.watcher?.asks(this.target, this.#lastVersion, call)
    try {
      const traced = tracedCall(call, asking?.trace)
      const result = await this.#translated(traced)
      asking?.answered(result)
      return result
    } catch (error) {
      asking?.failed(error)
      throw error
    } finally {
      this.#running--
      if (this.#running === 0) this.#onIdle()
    }
  }

  /** Connects its own session anew, at once; what callers have open at the server stays as it is. */
  reconnect(): void {
    this.#patience.reset()
    this.#hurry.abort()
    if (this.#state.status === 'ready') this.#loseMonitor(new Error('it is connected anew'))
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

  async #translated(call: Call): Promise<RawObject> {
    if (!mayConcernTask(call)) return this.#calls.send(call)
    const translated = translateTaskCall(call, this.target.name, this.#context.taskIds)
    return translated.exposed(await this.#calls.send(translated.call))
  }

  /**
   * Asks for a list, through the backend's own session.
   * @throws as `call`
   */
  async list(method: string, params: RawObject): Promise<RawObject> {
    const monitor = (): UpstreamClient => {
      if (this.#monitor === undefined) throw this.#unreachable()
      return this.#monitor
    }
    const request = { method, params }
    const asking = this.#context.watcher?.asks(this.target, this.#lastVersion, request)
    try {
      const result = await this.#calls.ask(monitor, request, this.target.timeouts.listMs)
      asking?.answered(result)
      return result
    } catch (error) {
      asking?.failed(error)
      if (error instanceof UpstreamSessionLostError) this.#loseMonitor(error)
      throw error
    }
  }

  /**
   * Whether an answer to a request of that server's can be delivered from this process. What a child process asked, or an
   * older server through a stream of its own, or we on behalf of a newer one, only the process that heard it can.
   */
  reaches(replyTo: ReplyTo): boolean {
    return (
      this.#calls.isWaitingFor(replyTo.id) ||
      this.#clientOf(replyTo) !== undefined ||
      this.#connector.reaches(replyTo)
    )
  }

  /**
   * Sends to a server what a caller answers to a request of that server's. Another process may have relayed the
   * request; over HTTP its session is reached all the same. What cannot be delivered any more is dropped.
   */
  async answer(
    { principal, subject }: Caller,
    replyTo: ReplyTo,
    answer: ResultMessage | ErrorMessage,
  ): Promise<void> {
    const { id } = replyTo
    if (this.#calls.settle(id, answer)) return
    const client = this.#clientOf(replyTo)
    const text =
      answer.kind === 'error'
        ? errorText(id, answer.error)
        : resultText(id, translateTaskAnswer(answer.result, principal, this.#context.taskIds))
    await this.#tell(replyTo, text, subject)
    client?.answered(id)
  }

  /** Tells a server of a caller's progress with a request of that server's; delivered as an answer is. */
  async progress({ subject }: Caller, replyTo: ReplyTo, params: RawObject): Promise<void> {
    const { progressToken } = replyTo
    if (progressToken === undefined) return
    const stamped = withMembers(params, { progressToken: JSON.stringify(progressToken) })
    await this.#tell(replyTo, notificationText('notifications/progress', stamped), subject)
  }

  /** Gives the server what is not MCP. @throws as `Connector.forward` */
  async forward(request: ForeignRequest): Promise<ForeignAnswer> {
    return this.#connector.forward(request)
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

  /** Why something failed, in words for everybody to read. */
  reasonFor(error: unknown): string {
    return this.#context.redact(reasonOf(error))
  }

  /** The caller is gone: ends the sessions that nobody else uses. */
  release(callerKey: string): void {
    this.#sessions.release(callerKey)
  }

  async close(): Promise<void> {
    if (this.#state.status === 'closed') return
    this.#setState({ status: 'closed', since: Date.now() })
    this.#closing.abort()
    this.#calls.close()
    this.#breaker.close()
    this.#loseMonitor(this.#unreachable())
    await Promise.all([this.#monitor?.close(), this.#sessions.close()])
    await this.#connector.close()
  }

  /** The session that a server's request came from, where this process holds it. */
  #clientOf({ sessionKey, connection }: ReplyTo): UpstreamClient | undefined {
    const isOurs = sessionKey === MONITOR
    const client = isOurs ? this.#monitor : this.#sessions.openClient(sessionKey)
    return client?.connection === connection ? client : undefined
  }

  async #tell(replyTo: ReplyTo, text: string, subject: Caller['subject']): Promise<void> {
    const client = this.#clientOf(replyTo)
    if (client !== undefined) return client.reply(text)
    if (this.#connector.reaches(replyTo)) {
      await this.#connector.tell(replyTo.upstreamSessionId, text, subject)
    }
  }

  /** A server that is just being started again is worth waiting for; one that failed to start is not. */
  async #monitorSoon(): Promise<UpstreamClient> {
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
    account: Account,
  ): Promise<UpstreamClient> {
    const listener = {
      ...sessionListener,
      onListChanged: (kind: ListKind) => this.#listener.onListChanged(this, kind),
      onNoise: (what: string) => this.#hearNoise(what),
    }
    const { clientInfo } = this.#context
    const introduction = { clientInfo, capabilities, sessionKey, account }
    return this.#connector.open(introduction, listener, this.#closing.signal)
  }

  /** Each kind of noise is told once for each connection, and of many kinds the first. */
  #hearNoise(what: string): void {
    if (this.#noise.size >= MAX_NOISE || this.#noise.has(what)) return
    this.#noise.add(what)
    this.#listener.onNoise(this, this.#context.redact(what))
  }

  async #keepMonitor(): Promise<void> {
    const { signal } = this.#closing
    while (!signal.aborted) {
      const reason = await this.#monitorOnce(() => this.#patience.reset())
      this.#monitor = undefined
      if (signal.aborted) return
      await this.#backOff(reason)
    }
  }

  /** Connects and stays connected for as long as that goes. Returns why it ended. */
  async #monitorOnce(onStable: () => void): Promise<Error> {
    const loss = new Promise<Error>((resolve) => (this.#loseMonitor = resolve))
    let client: UpstreamClient
    try {
      client = await this.#open(
        MONITOR,
        {},
        {
          ...this.#sessions.shared,
          onClose: this.#loseMonitor,
        },
        'own',
      )
    } catch (error) {
      this.#noteSilence(error)
      return error instanceof Error ? error : new Error(String(error))
    }
    // Lists are read once changes to them can be heard, so that none falls between.
    const lost = await Promise.race([client.listen(), loss])
    if (lost === undefined && !this.#closing.signal.aborted) {
      this.#monitor = client
      this.#lastEra = client.era
      this.#lastVersion = client.server.protocolVersion
      this.#noise.clear()
      this.#sessions.shared.onOpen(client)
      this.#breaker.recovered()
      this.#setState({ status: 'ready', since: Date.now(), server: client.server })
      const stable = setTimeout(onStable, STABLE_MS).unref()
      const { intervalMs } = this.target.health
      const isAsked = this.target.endpoint.kind === 'http' && intervalMs > 0
      const stopAsking = isAsked ? askNowAndThen(() => this.#heed(), intervalMs) : undefined
      const doubts = setInterval(() => void this.#doubt(), VERDICT_MS).unref()
      await loss
      clearTimeout(stable)
      stopAsking?.()
      clearInterval(doubts)
    }
    // It may take its time to say goodbye to a server that is gone.
    void client.close()
    return loss
  }

  /**
   * Asks the server whether it is there, and connects anew where it is not. A busy child process is asked only by the
   * circuit breaker: its exit is heard.
   * @throws as `UpstreamClient.ping`
   */
  async #ask(): Promise<void> {
    const client = this.#monitor
    if (client === undefined) throw this.#unreachable()
    try {
      await client.ping(this.target.health.timeoutMs)
    } catch (error) {
      // An error answer is an answer all the same.
      if (error instanceof JsonRpcError || isBusy(error)) return
      this.#noteSilence(error)
      if (isBackendError(error) && client === this.#monitor) this.#loseMonitor(error)
      throw error
    }
  }

  /** The same for its own sake. */
  async #heed(): Promise<void> {
    // Whoever keeps the monitor has been told of it.
    await this.#ask().catch(() => undefined)
  }

  /** A server that says nothing hangs, or its connections lead nowhere; calls would wait for it in vain. */
  #noteSilence(error: unknown): void {
    if (!(error instanceof BackendTimeoutError)) return
    this.#breaker.failed(error, this.#breaker.breaks)
    this.#connector.renew()
  }

  /** A server that was replaced by a newer one at the same address would be spoken to as an old one for ever. */
  async #doubt(): Promise<void> {
    const { clientInfo } = this.#context
    const introduction = {
      clientInfo,
      capabilities: {},
      sessionKey: MONITOR,
      account: 'own',
    } as const
    if (await this.#connector.isNowModern(introduction, this.#closing.signal)) {
      this.#loseMonitor(new Error('the server has become a newer one'))
    }
  }

  async #backOff(error: Error): Promise<void> {
    const wasReady = this.#state.status === 'ready'
    this.#hurry = new AbortController()
    const waited = this.#patience.wait(AbortSignal.any([this.#closing.signal, this.#hurry.signal]))
    // The first reconnection comes at once, and callers may wait for it; after that, they are told.
    if (wasReady && this.#patience.failures === 1) {
      this.#setState({ status: 'connecting', since: Date.now() })
    } else if (this.#state.status !== 'closed') {
      const since = this.#state.status === 'unreachable' ? this.#state.since : Date.now()
      this.#setState({ status: 'unreachable', since, reason: this.reasonFor(error) })
    }
    await waited
  }

  #setState(state: BackendState): void {
    this.#state = state
    for (const wake of this.#waiting.splice(0)) wake()
    this.#listener.onState(this, state)
  }
}

/** It has no time for us now, and is there. */
function isBusy(error: unknown): boolean {
  return error instanceof BackendProtocolError && error.status === TOO_MANY_REQUESTS
}
