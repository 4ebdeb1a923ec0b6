/**
 * The upstream edge for revisions up to 2025-11-25: opens a session with `initialize`, gives every request an id
 * and progress token of this hop, and takes them off again on the way back. One instance is one upstream
 * session; it knows no transport and no catalog.
 */
import { randomUUID } from 'node:crypto'
import type { Caller } from './call.js'
import { partyOf } from './call.js'
import {
  afterRunning,
  BackendProtocolError,
  BackendUnreachableError,
  beforeSending,
  leftForAnother,
  reasonOf,
} from './errors.js'
import type { LogLevel } from './log-level.js'
import { forwardedHeaders } from './credentials.js'
import type { Pending, RequestOptions } from './pending-requests.js'
import { PendingExchange } from './pending-exchange.js'
import { PendingRequests } from './pending-requests.js'
import { RunningTasks } from './running-tasks.js'
import type { ClientListener, ServerDescription } from './server-description.js'
import { LIST_CHANGED } from './server-description.js'
import { ServerNotifications } from './server-notifications.js'
import { refusalOf } from './server-requests.js'
import type { Target } from './target.js'
import { idOf } from './target.js'
import { isTaskCall, madeTask } from './task-calls.js'
import { withTraceHeaders } from './trace-headers.js'
import type { Channel, OpenTransport, Transport } from './transport.js'
import type { Introduction, UpstreamClient } from './upstream-client.js'
import { UrlElicitations } from './url-elicitations.js'
import type {
  ErrorMessage,
  Message,
  RequestId,
  RequestMessage,
  ResultMessage,
} from './wire/json-rpc.js'
import {
  ErrorCode,
  errorText,
  JsonRpcError,
  notificationText,
  requestText,
  resultText,
} from './wire/json-rpc.js'
import type { JsonObject, RawObject } from './wire/raw-json.js'
import { EMPTY_OBJECT, isJsonObject, RawJson, withMeta } from './wire/raw-json.js'

/** Newest first: the first is what we ask for. */
const LEGACY_VERSIONS = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'] as const

const NO_CALL = new JsonRpcError(
  ErrorCode.InvalidParams,
  'this belongs to no single call of this session, so there is nobody to ask',
)
const CALLER_GONE = new JsonRpcError(ErrorCode.InternalError, 'the client has disconnected')

const TOO_MANY = new JsonRpcError(
  ErrorCode.InvalidRequest,
  'too many requests of this call are unanswered',
)

/** What a server may ask of one caller at once. */
const MAX_ASKED = 32
/** Answers, and calls taken back, on their way to a server at once. One that does not take them gets no more. */
const MAX_REPLIES = 256

export class LegacyClient implements UpstreamClient {
  readonly era = 'legacy'
  readonly connection = randomUUID()
  readonly #target: Target
  readonly #introduction: Introduction
  readonly #listener: ClientListener
  readonly #pending: PendingRequests
  readonly #tasks = new RunningTasks()
  readonly #elicitations: UrlElicitations
  readonly #notifications: ServerNotifications
  #transport: Transport | undefined
  #replies = 0
  #closeReason: Error | undefined
  #isFinishing = false
  #server: ServerDescription | undefined

  private constructor(target: Target, introduction: Introduction, listener: ClientListener) {
    this.#target = target
    this.#introduction = introduction
    this.#listener = listener
    this.#pending = new PendingRequests(target.name, (pending, reason) =>
      this.#abandoned(pending, reason),
    )
    this.#elicitations = new UrlElicitations(target)
    this.#notifications = new ServerNotifications({
      target,
      listener,
      pending: this.#pending,
      tasks: this.#tasks,
      elicitations: this.#elicitations,
    })
  }

  /**
   * Opens a session within the target's `open` deadline, or gives up when `signal` is aborted.
   * @throws BackendUnreachableError, BackendTimeoutError, BackendProtocolError, or the server's own JsonRpcError
   */
  static async open(
    target: Target,
    openTransport: OpenTransport,
    introduction: Introduction,
    listener: ClientListener,
    signal: AbortSignal,
  ): Promise<LegacyClient> {
    const client = new LegacyClient(target, introduction, listener)
    if (target.stateful) client.#pending.shareSession()
    const giveUp = (): void => void client.close()
    signal.addEventListener('abort', giveUp)
    try {
      client.#transport = await openTransport(client.#channel())
      client.#server = await client.#initialize()
      client.#transport.opened(client.#server.protocolVersion)
      // Strict servers refuse requests that overtake this on another connection.
      await client.#transport.notify(notificationText('notifications/initialized'))
      return client
    } catch (error) {
      void client.close()
      throw error
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }

  /** Goes on in a session that is open already. */
  static async resume(
    target: Target,
    openTransport: OpenTransport,
    introduction: Introduction,
    listener: ClientListener,
    server: ServerDescription,
  ): Promise<LegacyClient> {
    const client = new LegacyClient(target, introduction, listener)
    client.#pending.shareSession()
    client.#transport = await openTransport(client.#channel())
    client.#server = server
    client.#transport.opened(server.protocolVersion)
    return client
  }

  get sessionId(): string | undefined {
    return this.#transport?.sessionId
  }

  get server(): ServerDescription {
    if (this.#server === undefined) throw new TypeError('the session is not open')
    return this.#server
  }

  async listen(): Promise<void> {
    await this.#transport?.listen()
  }

  readonly #hears = (message: Message, asker: Pending): void => this.#receive(message, asker)

  request(options: RequestOptions, timeoutMs: number): Promise<RawObject> {
    const transport = this.#transport
    if (this.#isFinishing) return Promise.reject(leftForAnother(this.#target.name))
    if (transport === undefined || this.#closeReason !== undefined) {
      return Promise.reject(beforeSending(this.#closeReason ?? this.#closedByUs()))
    }
    return this.#pending.open(options, timeoutMs, (pending) => {
      const text = requestText(pending.id, options.method, paramsWithToken(options, pending.id))
      const forwarded = forwardedHeaders(this.#target, options.headers)
      const headers = withTraceHeaders(forwarded, options.trace)
      const { subject } = options
      const party = options.caller && partyOf(options.caller)
      return transport.send(text, new PendingExchange(pending, this.#pending, this.#hears), {
        headers,
        subject,
        party,
      })
    })
  }

  async subscribe(uri: string, timeoutMs: number): Promise<void> {
    await this.listen()
    await this.#ask('resources/subscribe', { uri }, timeoutMs)
  }

  async unsubscribe(uri: string, timeoutMs: number): Promise<void> {
    await this.#ask('resources/unsubscribe', { uri }, timeoutMs)
  }

  async setLogLevel(level: LogLevel, timeoutMs: number): Promise<void> {
    if (this.server.capabilities['logging'] === undefined) return
    await this.#ask('logging/setLevel', { level }, timeoutMs)
  }

  /** An error answer is an answer all the same. */
  async ping(timeoutMs: number): Promise<void> {
    await this.#ask('ping', {}, timeoutMs).catch((error: unknown) => {
      if (!(error instanceof JsonRpcError)) throw error
    })
  }

  async finish(leavesSession = false): Promise<void> {
    this.#isFinishing = true
    await this.#pending.idle()
    await this.close(leavesSession)
  }

  async close(leavesSession = false): Promise<void> {
    this.#end(this.#closedByUs())
    await this.#transport?.close(leavesSession)
  }

  async #ask(method: string, params: JsonObject, timeoutMs: number): Promise<void> {
    await this.request({ method, params: RawJson.fromValue(params) }, timeoutMs)
  }

  async #initialize(): Promise<ServerDescription> {
    const { clientInfo, capabilities } = this.#introduction
    const params = RawJson.fromValue<JsonObject>({
      protocolVersion: LEGACY_VERSIONS[0],
      capabilities,
      clientInfo,
    })
    const options = { method: 'initialize', params }
    const { value } = await this.request(options, this.#target.timeouts.openMs)
    const { protocolVersion, serverInfo, instructions } = value
    if (!LEGACY_VERSIONS.some((version) => version === protocolVersion)) {
      throw new BackendProtocolError(
        this.#target.name,
        'the server speaks a protocol version that this gateway does not',
      )
    }
    return {
      protocolVersion: protocolVersion as string,
      info: isJsonObject(serverInfo) ? serverInfo : {},
      capabilities: isJsonObject(value['capabilities']) ? value['capabilities'] : {},
      instructions: typeof instructions === 'string' ? instructions : undefined,
    }
  }

  #channel(): Channel {
    return {
      onMessage: (message) => this.#receive(message, undefined),
      onNoise: (what) => this.#listener.onNoise(what),
      onGap: () => {
        for (const kind of Object.values(LIST_CHANGED)) this.#listener.onListChanged(kind)
      },
      onClose: (reason) => {
        if (this.#end(reason)) this.#listener.onClose(reason)
      },
    }
  }

  /** `asker` is the request on whose answer stream the message came; undefined on the shared channel. */
  #receive(message: Message, asker: Pending | undefined): void {
    switch (message.kind) {
      case 'result':
      case 'error':
        return this.#answered(message, asker)
      case 'request':
        return this.#relay(message, asker)
      case 'notification':
        return this.#notifications.hear(message, asker)
    }
  }

  #answered(message: ResultMessage | ErrorMessage, asker: Pending | undefined): void {
    // A server that could not read our request cannot name its id; on HTTP the stream tells whose it is.
    const unnamed = message.kind === 'error' && message.id === undefined
    const pending = unnamed ? asker : this.#pending.get(message.id)
    if (pending === undefined) {
      if (message.kind === 'result' && this.#tasks.wasForsaken(message.id)) {
        return this.#cancelTask(madeTask(message.result))
      }
      return this.#listener.onNoise('an answer to no request of ours')
    }
    const { call } = pending
    if (isTaskCall(call)) this.#heardOfTask(pending, message)
    if (message.kind === 'result') this.#pending.succeed(pending, message.result)
    else this.#pending.fail(pending, this.#required(message.error, call.caller))
  }

  /** An error may say which URLs the user has to visit first; that this was done is told outside of calls. */
  #required(error: JsonRpcError, caller: Caller | undefined): JsonRpcError {
    const required = this.#elicitations.required(error, caller)
    if (required !== error) void this.listen()
    return required
  }

  /** Keeps track of the tasks that run, by the answers to calls about them. */
  #heardOfTask({ id, call, lastProgress }: Pending, answer: ResultMessage | ErrorMessage): void {
    if (call.method === 'tasks/result') return this.#tasks.settled(call.params.value['taskId'])
    if (answer.kind === 'error') return
    const taskId = call.method === 'tools/call' ? madeTask(answer.result) : undefined
    if (taskId === undefined) this.#tasks.heard(answer.result)
    else if (call.notify !== undefined) this.#tasks.begin(id, taskId, call.notify, lastProgress)
  }

  /** A task whose making was given up is of no use to anybody. */
  #cancelTask(taskId: string | undefined): void {
    if (taskId === undefined) return
    const params = RawJson.fromValue<JsonObject>({ taskId })
    const { callMs } = this.#target.timeouts
    this.request({ method: 'tasks/cancel', params }, callMs).catch((error: unknown) => {
      this.#listener.onNoise(`a task could not be cancelled: ${reasonOf(error)}`)
    })
  }

  /** Passes what the server asks on to the caller whose call it is about, and to nobody else. */
  #relay(request: RequestMessage, asker: Pending | undefined): void {
    const { id, method, params } = request
    if (method === 'ping') return this.reply(resultText(id, EMPTY_OBJECT))
    const pending = asker ?? this.#notifications.callAbout(params)
    const refusal =
      refusalOf(request, this.#introduction.capabilities) ??
      (pending === undefined ? NO_CALL : undefined)
    if (refusal !== undefined) return this.reply(errorText(id, refusal))
    const unanswered = pending?.deadline.unanswered
    // Two of one id could not be answered apart.
    if (unanswered?.has(id) === true) return this.#listener.onNoise('two requests of one id')
    if ((unanswered?.size ?? 0) >= MAX_ASKED) return this.reply(errorText(id, TOO_MANY))
    const { target, sessionKey } = { target: idOf(this.#target), ...this.#introduction }
    const progressToken = progressTokenOf(params)
    const { connection, sessionId: upstreamSessionId } = this
    const replyTo = { target, sessionKey, upstreamSessionId, connection, id, progressToken }
    const asked = this.#elicitations.asked(params, pending?.call.caller)
    // Its completion may come outside of calls.
    if (asked !== params) void this.listen()
    if (pending?.call.ask?.({ method, params: asked, replyTo }) !== true) {
      return this.reply(errorText(id, CALLER_GONE))
    }
    pending.deadline.asked(id)
  }

  reply(text: string): void {
    if (this.#replies >= MAX_REPLIES) {
      return this.#listener.onNoise('it asks faster than it takes answers')
    }
    this.#replies++
    void this.#transport?.notify(text).then(() => this.#replies--)
  }

  answered(id: RequestId): void {
    for (const { deadline } of this.#pending.values()) deadline.answered(id)
  }

  /** Nobody waits any more: says so to the server, so that it can stop. */
  #abandoned(pending: Pending, reason: Error): void {
    const { method, params } = pending.call
    // What it makes is cancelled once it is known by name; the request must not be (basic/utilities/tasks).
    if (method === 'tools/call' && params.value['task'] !== undefined) {
      return this.#tasks.forsake(pending.id)
    }
    pending.sent.stop()
    // 2025-11-25 basic/utilities/cancellation: `initialize` must not be cancelled.
    if (method === 'initialize') return
    const cancelled = RawJson.fromValue<JsonObject>({
      requestId: pending.id,
      reason: reason.message,
    })
    this.reply(notificationText('notifications/cancelled', cancelled))
  }

  /** Fails what is in flight. Returns false where the session had ended before. */
  #end(reason: Error): boolean {
    if (this.#closeReason !== undefined) return false
    this.#closeReason = reason
    // Whatever ended the session: what was sent in it may have run.
    this.#pending.failAll(afterRunning(reason))
    return true
  }

  #closedByUs(): BackendUnreachableError {
    return new BackendUnreachableError(this.#target.name, 'the session was closed', false)
  }
}

function progressTokenOf({ value }: RawObject): RequestId | undefined {
  const meta = value['_meta']
  const token = isJsonObject(meta) ? meta['progressToken'] : undefined
  return typeof token === 'string' || typeof token === 'number' ? token : undefined
}

function paramsWithToken({ params, wantsProgress }: RequestOptions, token: RequestId): RawObject {
  return wantsProgress === true
    ? withMeta(params, { progressToken: JSON.stringify(token) })
    : params
}
