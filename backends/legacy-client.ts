/**
 * The upstream edge for revisions up to 2025-11-25: opens a session with `initialize`, gives every request an id
 * and progress token of this hop, and takes them off again on the way back. One instance is one upstream
 * session; it knows no transport and no catalog.
 */
import type { Call } from './call.js'
import { Deadline } from './deadline.js'
import {
  BackendProtocolError,
  BackendTimeoutError,
  BackendUnreachableError,
  CallCancelledError,
} from './errors.js'
import { refusalOf } from './server-requests.js'
import type { Target } from './target.js'
import type { Channel, Exchange, OpenTransport, Transport } from './transport.js'
import type { Message, NotificationMessage, RequestId, RequestMessage } from './wire/json-rpc.js'
import {
  ErrorCode,
  errorText,
  JsonRpcError,
  notificationText,
  requestText,
  resultText,
} from './wire/json-rpc.js'
import type { JsonObject, RawObject } from './wire/raw-json.js'
import { EMPTY_OBJECT, isJsonObject, RawJson, withMembers, withMeta } from './wire/raw-json.js'

/** Newest first: the first is what we ask for. */
const LEGACY_VERSIONS = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'] as const

const NO_CALL = new JsonRpcError(
  ErrorCode.InvalidParams,
  'this belongs to no single call of this session, so there is nobody to ask',
)
const CALLER_GONE = new JsonRpcError(ErrorCode.InternalError, 'the client has disconnected')

export type ListKind = 'tools' | 'prompts' | 'resources'

/** What the server said of itself in `initialize`. */
export interface ServerDescription {
  readonly protocolVersion: string
  readonly info: JsonObject
  readonly capabilities: JsonObject
  readonly instructions: string | undefined
}

export interface ClientListener {
  onListChanged(kind: ListKind): void
  /** The session is over, and not because we closed it. */
  onClose(reason: Error): void
  onNoise(what: string): void
  /** A resource that was subscribed to has changed, or a part of it. */
  onUpdated(uri: string): void
  /** A log message that belongs to no call. */
  onLog(params: RawObject): void
}

interface Pending {
  readonly resolve: (result: RawObject) => void
  readonly reject: (error: Error) => void
  readonly call: RequestOptions
  readonly deadline: Deadline
  lastProgress: number
  /** The id of the request is also its progress token: both are ours and unique on this session. */
  readonly id: RequestId
  stopListening: () => void
  readonly onCancel: () => void
}

export type RequestOptions = Pick<Call, 'method' | 'params'> & Partial<Call>

/** How an upstream session introduces itself, and where answers to what its server asks belong. */
export interface Introduction {
  readonly clientInfo: JsonObject
  readonly capabilities: JsonObject
  readonly sessionKey: string
}

const LIST_CHANGED: Readonly<Record<string, ListKind>> = {
  'notifications/tools/list_changed': 'tools',
  'notifications/prompts/list_changed': 'prompts',
  'notifications/resources/list_changed': 'resources',
}

export class LegacyClient {
  readonly #target: Target
  readonly #introduction: Introduction
  readonly #listener: ClientListener
  readonly #pending = new Map<RequestId, Pending>()
  #transport: Transport | undefined
  #lastId = 0
  #closeReason: Error | undefined
  #server: ServerDescription | undefined

  private constructor(target: Target, introduction: Introduction, listener: ClientListener) {
    this.#target = target
    this.#introduction = introduction
    this.#listener = listener
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

  /** The id that the server gave this session, over HTTP. */
  get sessionId(): string | undefined {
    return this.#transport?.sessionId
  }

  get server(): ServerDescription {
    if (this.#server === undefined) throw new TypeError('the session is not open')
    return this.#server
  }

  /** Hears what the server says unasked, from when it resolves on if not before. Never rejects. */
  async listen(): Promise<void> {
    await this.#transport?.listen()
  }

  /**
   * Sends a request and waits for its result. `timeoutMs` 0 waits for ever; each progress notification starts
   * the time anew.
   * @throws JsonRpcError as the server gave it, or one of the errors of `errors.ts`
   */
  request(options: RequestOptions, timeoutMs: number): Promise<RawObject> {
    return new Promise((resolve, reject) => {
      if (options.cancellation?.isCancelled === true) return reject(this.#cancelled())
      if (this.#transport === undefined || this.#closeReason !== undefined) {
        return reject(this.#closeReason ?? this.#closedByUs())
      }
      const id = ++this.#lastId
      const pending: Pending = {
        resolve,
        reject,
        call: options,
        deadline: new Deadline(timeoutMs, (ms) => this.#abandon(pending, this.#late(ms))),
        lastProgress: -Infinity,
        id,
        stopListening: () => undefined,
        onCancel: () => this.#abandon(pending, this.#cancelled()),
      }
      this.#pending.set(id, pending)
      options.cancellation?.add(pending.onCancel)
      const text = requestText(id, options.method, paramsWithToken(options, id))
      pending.stopListening = this.#transport.send(text, this.#exchange(pending))
    })
  }

  async close(): Promise<void> {
    this.#end(this.#closedByUs())
    await this.#transport?.close()
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

  #exchange(pending: Pending): Exchange {
    return {
      onMessage: (message) => this.#receive(message, pending),
      onEnd: () => {
        this.#settle(pending, () =>
          pending.reject(
            new BackendProtocolError(
              this.#target.name,
              'the server ended its answer without a result',
            ),
          ),
        )
      },
      onError: (error) => this.#settle(pending, () => pending.reject(error)),
    }
  }

  /** `asker` is the request on whose answer stream the message came; undefined on the shared channel. */
  #receive(message: Message, asker: Pending | undefined): void {
    switch (message.kind) {
      case 'result':
      case 'error': {
        // A server that could not read our request cannot name its id; on HTTP the stream tells whose it is.
        const unnamed = message.kind === 'error' && message.id === undefined
        const pending = unnamed ? asker : this.#pending.get(message.id as RequestId)
        if (pending === undefined) {
          return this.#listener.onNoise('an answer to no request of ours')
        }
        return this.#settle(pending, () =>
          message.kind === 'result'
            ? pending.resolve(message.result)
            : pending.reject(message.error),
        )
      }
      case 'request':
        return this.#relay(message, asker)
      case 'notification':
        return this.#hear(message, asker)
    }
  }

  /** Passes what the server asks on to the caller whose call it is about, and to nobody else. */
  #relay(request: RequestMessage, asker: Pending | undefined): void {
    const { id, method, params } = request
    if (method === 'ping') return this.reply(resultText(id, EMPTY_OBJECT))
    const pending = asker ?? this.#onlyCall()
    const refusal =
      refusalOf(request, this.#introduction.capabilities) ??
      (pending === undefined ? NO_CALL : undefined)
    if (refusal !== undefined) return this.reply(errorText(id, refusal))
    const { target, sessionKey } = { target: this.#target.name, ...this.#introduction }
    const progressToken = progressTokenOf(params)
    const replyTo = { target, sessionKey, upstreamSessionId: this.sessionId, id, progressToken }
    if (pending?.call.ask?.({ method, params, replyTo }) !== true) {
      return this.reply(errorText(id, CALLER_GONE))
    }
    pending.deadline.asked(id)
  }

  /** Sends what has no answer: what a caller says to the server. */
  reply(text: string): void {
    void this.#transport?.notify(text)
  }

  /** Stops the patience shown while a caller was thinking. */
  answered(id: RequestId): void {
    for (const { deadline } of this.#pending.values()) deadline.answered(id)
  }

  /** A channel shared by all calls does not say whose message it carries; with one call it needs not. */
  #onlyCall(): Pending | undefined {
    const calls = [...this.#pending.values()].filter(({ call }) => call.ask !== undefined)
    return calls.length === 1 ? calls[0] : undefined
  }

  #hear({ method, params }: NotificationMessage, asker: Pending | undefined): void {
    const kind = LIST_CHANGED[method]
    if (kind !== undefined) return this.#listener.onListChanged(kind)
    if (method === 'notifications/progress') return this.#progress(params)
    if (method === 'notifications/elicitation/complete') {
      return (asker ?? this.#onlyCall())?.call.notify?.({ method, params })
    }
    if (method === 'notifications/message') return this.#log(params, asker)
    if (method === 'notifications/resources/updated') {
      const { uri } = params.value
      if (typeof uri === 'string') this.#listener.onUpdated(uri)
      return
    }
    if (method === 'notifications/cancelled') this.#withdraw(params.value['requestId'])
  }

  #log(params: RawObject, asker: Pending | undefined): void {
    const { logger } = params.value
    const { name } = this.#target
    // Clients see one server: whose message it is, the logger says.
    const attributed = withMembers(params, {
      logger: JSON.stringify(typeof logger === 'string' ? `${name}/${logger}` : name),
    })
    const pending = asker ?? this.#onlyCall()
    if (pending?.call.notify === undefined) return this.#listener.onLog(attributed)
    pending.call.notify({ method: 'notifications/message', params: attributed })
  }

  #withdraw(id: unknown): void {
    for (const pending of this.#pending.values()) {
      const wasAsked = pending.deadline.answered(id as RequestId)
      if (wasAsked) pending.call.withdraw?.(id as RequestId)
    }
  }

  #progress(params: RawObject): void {
    const { progressToken, progress } = params.value
    const pending = this.#pending.get(progressToken as RequestId)
    // Only live tokens that we gave, and only values that grow, go on (mcp-protocol.md §2.5).
    if (pending?.call.notify === undefined || !pending.call.wantsProgress) return
    if (typeof progress !== 'number' || progress <= pending.lastProgress) return
    pending.lastProgress = progress
    pending.deadline.restart()
    pending.call.notify({
      method: 'notifications/progress',
      params: withMembers(params, { progressToken: undefined }),
    })
  }

  /** Nobody waits any more: says so to the server, so that it can stop. */
  #abandon(pending: Pending, error: Error): void {
    this.#settle(pending, () => {
      pending.stopListening()
      // 2025-11-25 basic/utilities/cancellation: `initialize` must not be cancelled.
      if (pending.call.method !== 'initialize') {
        const params = { requestId: pending.id, reason: error.message }
        const text = notificationText('notifications/cancelled', RawJson.fromValue(params))
        void this.#transport?.notify(text)
      }
      pending.reject(error)
    })
  }

  #settle(pending: Pending, tell: () => void): void {
    if (!this.#pending.delete(pending.id)) return
    pending.deadline.clear()
    pending.call.cancellation?.delete(pending.onCancel)
    tell()
  }

  /** Fails what is in flight. Returns false where the session had ended before. */
  #end(reason: Error): boolean {
    if (this.#closeReason !== undefined) return false
    this.#closeReason = reason
    for (const pending of this.#pending.values()) {
      this.#settle(pending, () => pending.reject(reason))
    }
    return true
  }

  #cancelled(): CallCancelledError {
    return new CallCancelledError(this.#target.name, 'the caller cancelled the request')
  }

  #late(timeoutMs: number): BackendTimeoutError {
    const message = `the server did not answer within ${timeoutMs} ms`
    return new BackendTimeoutError(this.#target.name, message)
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
