/**
 * A live target. It keeps one session of its own, the monitor, through which lists are read and changes are
 * heard, and opens one more for each caller when that caller first needs it. It reconnects by itself
 * and never gives up; what callers see meanwhile is decided in federation.
 */
import { setMaxListeners } from 'node:events'
import type { Circuit } from './circuit-breaker.js'
import { CircuitBreaker } from './circuit-breaker.js'
import type { Call, Caller, CallWatcher, ReplyTo, UpstreamPlace } from './call.js'
import { partyOf } from './call.js'
import { Crowd } from './crowd.js'
import { CallSender } from './call-sender.js'
import type { SessionListener } from './caller-sessions.js'
import { CallerSessions, MONITOR } from './caller-sessions.js'
import type { ForeignAnswer, ForeignRequest } from './forwarding.js'
import type { Account } from './http-door.js'
import { Connector } from './connector.js'
import { reasonOf, UpstreamSessionLostError } from './errors.js'
import type { BackendState } from './monitor.js'
import { Monitor } from './monitor.js'
import type { Followed } from './inheritance.js'
import { Inheritance } from './inheritance.js'
import { Running } from './running.js'
import type { ListKind } from './server-description.js'
import type { Target } from './target.js'
import { idOf } from './target.js'
import type { TaskIds } from './task-calls.js'
import { mayConcernTask, translateTaskAnswer, translateTaskCall } from './task-calls.js'
import { tracedCall } from './trace-headers.js'
import type { Introduction, UpstreamClient } from './upstream-client.js'
import type { ErrorMessage, ResultMessage } from './wire/json-rpc.js'
import { errorText, notificationText, resultText } from './wire/json-rpc.js'
import type { JsonObject, RawObject } from './wire/raw-json.js'
import { withMembers } from './wire/raw-json.js'

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

const MAX_NOISE = 16

export class Backend {
  readonly target: Target
  readonly #context: BackendContext
  readonly #listener: BackendListener
  readonly #connector: Connector
  readonly #sessions: CallerSessions
  readonly #closing = new AbortController()
  readonly #monitor: Monitor
  readonly #noise = new Set<string>()
  readonly #breaker: CircuitBreaker
  readonly #calls: CallSender
  readonly #crowd = new Crowd()
  readonly #running = new Running()
  readonly #inheritance: Inheritance
  /** What came in its place: what is followed from now on is followed there. */
  #heir: Backend | undefined
  /** The look at where the host name leads that is under way. */
  #looking: Promise<void> | undefined

  constructor(target: Target, context: BackendContext, listener: BackendListener) {
    this.target = target
    this.#context = context
    this.#listener = listener
    this.#sessions = new CallerSessions(target, {
      open: (key, capabilities, sessionListener, account, place) =>
        this.#open(key, capabilities, sessionListener, account, place),
      monitor: () => this.#monitor.soon(),
      monitorNow: () => this.#monitor.client,
      era: () => this.#monitor.era,
      timeoutMs: target.timeouts.openMs,
    })
    // Each session being opened listens to it.
    setMaxListeners(0, this.#closing.signal)
    this.#breaker = new CircuitBreaker({
      target: target.name,
      settings: target.circuitBreaker,
      probe: () => this.#monitor.ask(),
      onChange: (circuit) => listener.onCircuit(this, circuit),
      makeRoom: (party) => this.#connector.makeRoom(this.#crowd.of(party)),
      reasonFor: (error) => this.reasonFor(error),
    })
    const { signal } = this.#closing
    this.#inheritance = new Inheritance({
      connected: () => this.#monitor.soon(),
      follow: ({ caller, uri, onUpdated }) => this.#sessions.subscribe(caller, uri, onUpdated),
      unfollow: ({ caller, uri }) => this.#sessions.unsubscribe(caller, uri).catch(() => undefined),
      closing: signal,
    })
    this.#monitor = new Monitor({
      target,
      closing: signal,
      open: (onClose) => this.#open(MONITOR, {}, { ...this.#sessions.shared, onClose }, 'own'),
      isNowModern: () =>
        this.#connector.isNowModern(this.#introduction(MONITOR, {}, 'own'), signal),
      onConnected: (client) => {
        this.#noise.clear()
        this.#sessions.shared.onOpen(client)
        this.#breaker.recovered()
      },
      onState: (state) => listener.onState(this, state),
      lookUp: () => this.#lookUp(false),
      onSilence: (error) => {
        this.#breaker.failed(error, this.#breaker.breaks)
        this.#connector.renew()
      },
      reasonFor: (error) => this.reasonFor(error),
    })
    this.#calls = new CallSender(target, this.#sessions, this.#breaker, signal, () =>
      // The next connection may lead to another server than those that are kept, where nobody knows our sessions.
      this.#lookUp(true),
    )
    this.#connector = new Connector(target, (line) => listener.onStderr(this, context.redact(line)))
  }

  get state(): BackendState {
    return this.#monitor.state
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
    this.#monitor.start()
  }

  /**
   * Passes a caller's request on, in the caller's own session.
   * @throws JsonRpcError as the server gave it, or one of the errors of `errors.ts`
   */
  async call(call: Call): Promise<RawObject> {
    const party = partyOf(call.caller)
    this.#breaker.admit(this.#running.count, party)
    const isCrowded = this.#running.count >= this.target.circuitBreaker.maxConnections
    if (isCrowded) this.#crowd.enter(party)
    this.#running.begin()
    const asking = call.watcher?.asks(this.target, this.#monitor.version, call)
    try {
      const traced = tracedCall(call, asking?.trace)
      const result = await this.#translated(traced)
      asking?.answered(result)
      return result
    } catch (error) {
      asking?.failed(error)
      throw error
    } finally {
      if (isCrowded) this.#crowd.leave(party)
      this.#running.end()
    }
  }

  /** Connects its own session anew, at once; what callers have open at the server stays as it is. */
  reconnect(): void {
    this.#monitor.reconnect()
  }

  /**
   * Lets what is running finish, for so long, and closes. Nobody routes anything new here any more. `heir` came in its
   * place, if something did, and goes on with what callers follow.
   */
  async retire(deadlineMs: number, heir: Backend | undefined): Promise<void> {
    this.#heir = heir
    this.#heir?.inherit([...this.#sessions.followed(), ...this.#inheritance.left])
    await this.#running.idle(deadlineMs)
    await this.close()
  }

  /** Goes on with what callers followed through one that this one replaced. */
  inherit(followed: Iterable<Followed>): void {
    if (this.#heir === undefined) this.#inheritance.take(followed)
    else this.#heir.inherit(followed)
  }

  #translated(call: Call): Promise<RawObject> {
    if (!mayConcernTask(call)) return this.#calls.send(call)
    const translated = translateTaskCall(call, idOf(this.target), this.#context.taskIds)
    return this.#calls.send(translated.call).then(translated.exposed)
  }

  /**
   * Asks for a list, through the backend's own session.
   * @throws as `call`
   */
  async list(method: string, params: RawObject): Promise<RawObject> {
    const request = { method, params }
    const asking = this.#context.watcher?.asks(this.target, this.#monitor.version, request)
    const { listMs } = this.target.timeouts
    try {
      const result = await this.#calls.ask(() => this.#monitor.now(), request, listMs)
      asking?.answered(result)
      return result
    } catch (error) {
      asking?.failed(error)
      if (error instanceof UpstreamSessionLostError) this.#monitor.lose(error)
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

  /** Whether a call waits in this process of which this is what its caller gives back with its answers. */
  isParked(requestState: string): boolean {
    return this.#calls.isParked(requestState)
  }

  /** Whether a caller's session with the server is of no use to other processes, whatever they know of it. */
  get isBoundToProcess(): boolean {
    const { endpoint } = this.target
    return endpoint.kind === 'stdio' ? endpoint.scope === 'session' : this.#connector.speaksSse
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
  forward(request: ForeignRequest): Promise<ForeignAnswer> {
    return this.#running.during(async () => {
      const answer = await this.#connector.forward(request)
      // It is not over before its body is.
      this.#running.begin()
      answer.body.once('close', () => this.#running.end())
      return answer
    })
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
    const isFollowed = await this.#running.during(() =>
      this.#sessions.subscribe(caller, uri, onUpdated),
    )
    if (isFollowed) this.#heir?.inherit([{ caller, uri, onUpdated }])
  }

  /** @throws as `call` */
  async unsubscribe(caller: Caller, uri: string): Promise<void> {
    if (this.#inheritance.forget(caller.key, uri)) return
    await this.#running.during(() => this.#sessions.unsubscribe(caller, uri))
  }

  /** Why something failed, in words for everybody to read. */
  reasonFor(error: unknown): string {
    return this.#context.redact(reasonOf(error))
  }

  /**
   * Opens the session of a caller's with a `stateful` target; `undefined` where there is none to speak of.
   * @throws as `call`
   */
  async place(caller: Caller): Promise<UpstreamPlace | undefined> {
    if (!this.target.stateful) return undefined
    return this.#running.during(() => this.#sessions.place(caller))
  }

  /** Ends such a session for good, whichever process opened it. Never rejects. */
  async end(place: UpstreamPlace, { subject }: Caller): Promise<void> {
    await this.#connector.end(place, subject)
  }

  /** The caller is gone: ends the sessions that nobody else uses, and leaves those that other processes do. */
  release(callerKey: string): void {
    this.#inheritance.forget(callerKey)
    this.#sessions.release(callerKey)
  }

  async close(): Promise<void> {
    if (this.state.status === 'closed') return
    const { client } = this.#monitor
    this.#closing.abort()
    this.#monitor.close()
    this.#calls.close()
    this.#breaker.close()
    await Promise.all([client?.close(), this.#sessions.close()])
    await this.#connector.close()
  }

  /** The session that a server's request came from, where this process holds it. */
  #clientOf({ sessionKey, connection }: ReplyTo): UpstreamClient | undefined {
    const isOurs = sessionKey === MONITOR
    const client = isOurs ? this.#monitor.client : this.#sessions.openClient(sessionKey)
    return client?.connection === connection ? client : undefined
  }

  async #tell(replyTo: ReplyTo, text: string, subject: Caller['subject']): Promise<void> {
    const client = this.#clientOf(replyTo)
    if (client !== undefined) return client.reply(text)
    if (this.#connector.reaches(replyTo)) {
      await this.#connector.tell(replyTo.upstreamSessionId, text, subject)
    }
  }

  /** Leaves connections to addresses that the host name leads to no longer, as they fall idle. Never rejects. */
  #lookUp(isInDoubt: boolean): Promise<void> {
    this.#looking ??= (async () => {
      const isElsewhere = await this.#connector.leadsElsewhere(isInDoubt)
      this.#looking = undefined
      if (!isElsewhere || this.#closing.signal.aborted) return
      this.#connector.renew()
      this.#monitor.client?.listenAnew?.()
    })()
    return this.#looking
  }

  async #open(
    sessionKey: string,
    capabilities: JsonObject,
    sessionListener: SessionListener,
    account: Account,
    place?: UpstreamPlace,
  ): Promise<UpstreamClient> {
    const listener = {
      ...sessionListener,
      onListChanged: (kind: ListKind) => this.#listener.onListChanged(this, kind),
      onNoise: (what: string) => this.#hearNoise(what),
    }
    const introduction = this.#introduction(sessionKey, capabilities, account)
    if (place === undefined) {
      return this.#connector.open(introduction, listener, this.#closing.signal)
    }
    return this.#connector.resume(place, introduction, listener, this.#monitor.now().server)
  }

  #introduction(sessionKey: string, capabilities: JsonObject, account: Account): Introduction {
    return { clientInfo: this.#context.clientInfo, capabilities, sessionKey, account }
  }

  /** Each kind of noise is told once for each connection, and of many kinds the first. */
  #hearNoise(what: string): void {
    if (this.#noise.size >= MAX_NOISE || this.#noise.has(what)) return
    this.#noise.add(what)
    this.#listener.onNoise(this, this.#context.redact(what))
  }
}
