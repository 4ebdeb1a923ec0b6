/**
 * The upstream edge for revision 2026-07-28: every request describes itself, in `_meta` and in headers made from its
 * own body, and its result says of which kind it is. There is no session: one instance serves all callers of a
 * server, or of a child process.
 */
import { randomUUID } from 'node:crypto'
import { partyOf } from './call.js'
import { forwardedHeaders } from './credentials.js'
import {
  afterRunning,
  BackendProtocolError,
  BackendUnreachableError,
  beforeSending,
  CallCancelledError,
  leftForAnother,
  reasonOf,
} from './errors.js'
import { ModernListening } from './modern-listening.js'
import type { Pending, RequestOptions } from './pending-requests.js'
import { PendingExchange } from './pending-exchange.js'
import { PendingRequests } from './pending-requests.js'
import type { Caller } from './call.js'
import type { ClientListener, ServerDescription } from './server-description.js'
import { LIST_CHANGED } from './server-description.js'
import { extendsTasks, modernCapabilities } from './server-requests.js'
import type { Target } from './target.js'
import { withTraceHeaders } from './trace-headers.js'
import type { Channel, Exchange, OpenTransport, Sent, Transport } from './transport.js'
import type { Introduction, UpstreamClient } from './upstream-client.js'
import type { Message, NotificationMessage } from './wire/json-rpc.js'
import { ErrorCode, JsonRpcError, notificationText, requestText } from './wire/json-rpc.js'
import { encodeHeader, MetaKey, MODERN_VERSION, nameOf, paramHeaderValues } from './wire/modern.js'
import type { JsonObject, RawObject } from './wire/raw-json.js'
import { EMPTY_OBJECT, isJsonObject, RawJson, withMembers, withMeta } from './wire/raw-json.js'

/** The server answered as one that does not speak this revision. */
export class NotModernError extends Error {
  readonly code = 'ERR_NOT_MODERN'
}

const VERSION_TEXT = JSON.stringify(MODERN_VERSION)
const MAY_NEED_INPUT: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read'])
/** Statuses that tell nothing about what a server speaks: it is busy, broken, or wants to know who asks. */
const INCONCLUSIVE: ReadonlySet<number> = new Set([401, 403, 407, 408, 429])

export class ModernClient implements UpstreamClient {
  readonly era = 'modern'
  readonly sessionId = undefined
  readonly connection = randomUUID()
  readonly #target: Target
  readonly #clientInfo: string
  readonly #capabilities = new WeakMap<Caller, string>()
  readonly #listener: ClientListener
  readonly #pending: PendingRequests
  #transport: Transport | undefined
  #listening: ModernListening | undefined
  #closeReason: Error | undefined
  #isFinishing = false
  #server: ServerDescription | undefined

  private constructor(target: Target, introduction: Introduction, listener: ClientListener) {
    this.#target = target
    this.#clientInfo = JSON.stringify(introduction.clientInfo)
    this.#listener = listener
    this.#pending = new PendingRequests(target.name, (pending, reason) =>
      this.#abandoned(pending, reason),
    )
  }

  /**
   * Asks the server what it is, within so many milliseconds, or gives up when `signal` is aborted.
   * @throws NotModernError where the server speaks something else; BackendUnreachableError, BackendTimeoutError or
   * BackendProtocolError where that cannot be told
   */
  static async open(
    target: Target,
    openTransport: OpenTransport,
    introduction: Introduction,
    listener: ClientListener,
    signal: AbortSignal,
    timeoutMs: number,
  ): Promise<ModernClient> {
    const client = new ModernClient(target, introduction, listener)
    const giveUp = (): void => void client.close()
    signal.addEventListener('abort', giveUp)
    try {
      client.#transport = await openTransport(client.#channel())
      client.#server = await client.#discover(timeoutMs)
      return client
    } catch (error) {
      void client.close()
      throw error
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
  }

  get server(): ServerDescription {
    if (this.#server === undefined) throw new TypeError('the server has not been discovered')
    return this.#server
  }

  readonly #hears = (message: Message, asker: Pending): void => this.#receive(message, asker)

  request(options: RequestOptions, timeoutMs: number): Promise<RawObject> {
    const transport = this.#transport
    if (this.#isFinishing) return Promise.reject(leftForAnother(this.#target.name))
    if (transport === undefined || this.#closeReason !== undefined) {
      return Promise.reject(beforeSending(this.#closeReason ?? this.#closedByUs()))
    }
    const answer = this.#pending.open(options, timeoutMs, (pending) => {
      const params = this.#stamped(options, pending.id)
      const text = requestText(pending.id, options.method, params)
      const forwarded = forwardedHeaders(this.#target, options.headers)
      const extra = withTraceHeaders(forwarded, options.trace)
      const own = headersOf(options)
      const headers = extra === undefined ? own : { ...extra, ...own }
      const { subject } = options
      const party = options.caller && partyOf(options.caller)
      return transport.send(text, new PendingExchange(pending, this.#pending, this.#hears), {
        headers,
        subject,
        party,
      })
    })
    return answer.then((result) => this.#neutral(result, options))
  }

  async listen(): Promise<void> {
    await this.#listen().start()
  }

  listenAnew(): void {
    void this.#listening?.restart()
  }

  async subscribe(uri: string): Promise<void> {
    if (await this.#listen().follow(uri)) return
    throw new JsonRpcError(ErrorCode.InvalidParams, 'the server does not tell of this resource')
  }

  async unsubscribe(uri: string): Promise<void> {
    await this.#listening?.unfollow(uri)
  }

  /** Each call says what it wants to hear. */
  async setLogLevel(): Promise<void> {}

  async ping(timeoutMs: number): Promise<void> {
    await this.request({ method: 'server/discover', params: EMPTY_OBJECT }, timeoutMs)
  }

  /** A server of this revision asks nothing but in results. */
  reply(): void {}

  answered(): void {}

  async finish(): Promise<void> {
    this.#listening?.close()
    this.#isFinishing = true
    await this.#pending.idle()
    await this.close()
  }

  async close(): Promise<void> {
    this.#end(this.#closedByUs())
    await this.#transport?.close()
  }

  async #discover(timeoutMs: number): Promise<ServerDescription> {
    const request = { method: 'server/discover', params: EMPTY_OBJECT }
    let result: RawObject
    try {
      result = await this.request(request, timeoutMs)
    } catch (error) {
      throw verdictOf(error)
    }
    const { supportedVersions, capabilities, instructions, _meta: meta } = result.value
    if (!Array.isArray(supportedVersions) || !supportedVersions.includes(MODERN_VERSION)) {
      throw new NotModernError('the server speaks no revision of this era that we do')
    }
    const info = isJsonObject(meta) ? meta[MetaKey.serverInfo] : undefined
    return {
      protocolVersion: MODERN_VERSION,
      info: isJsonObject(info) ? info : {},
      capabilities: isJsonObject(capabilities) ? capabilities : {},
      instructions: typeof instructions === 'string' ? instructions : undefined,
    }
  }

  /** What a request of this hop says of itself. What it says of the call was there before. */
  #stamped(
    { params, caller, logLevel, wantsProgress }: RequestOptions,
    id: string | number,
  ): RawObject {
    return withMeta(params, {
      [MetaKey.protocolVersion]: VERSION_TEXT,
      [MetaKey.clientInfo]: this.#clientInfo,
      [MetaKey.clientCapabilities]: this.#capabilitiesOf(caller),
      [MetaKey.logLevel]: logLevel === undefined ? undefined : JSON.stringify(logLevel),
      progressToken: wantsProgress === true ? JSON.stringify(id) : undefined,
    })
  }

  /** What a caller can be asked for, as text: it is said with each of its requests. */
  #capabilitiesOf(caller: Caller | undefined): string {
    if (caller === undefined) return '{}'
    const known = this.#capabilities.get(caller)
    if (known !== undefined) return known
    const text = JSON.stringify(modernCapabilities(caller, this.#target))
    this.#capabilities.set(caller, text)
    return text
  }

  /**
   * The result without what belongs to this hop.
   * @throws BackendProtocolError for a kind of result that was not to be expected
   */
  #neutral(result: RawObject, { method, caller }: RequestOptions): RawObject {
    const { resultType = 'complete', inputRequests, requestState } = result.value
    // The description of a server is read off its result.
    const plain =
      method === 'server/discover' ? result : withMeta(result, { [MetaKey.serverInfo]: undefined })
    if (resultType === 'complete') return withMembers(plain, { resultType: undefined })
    if (resultType === 'input_required' && MAY_NEED_INPUT.has(method)) {
      if (isJsonObject(inputRequests) || typeof requestState === 'string') return plain
      throw this.#protocolError('the server needs input and does not say what')
    }
    const isTask = resultType === 'task' && method === 'tools/call' && caller !== undefined
    if (isTask && extendsTasks(caller)) return plain
    throw this.#protocolError('the server gave a kind of result that was not asked for')
  }

  #listen(): ModernListening {
    const { capabilities } = this.server
    const tells = (list: string): boolean => {
      const capability = capabilities[list]
      return isJsonObject(capability) && capability['listChanged'] === true
    }
    this.#listening ??= new ModernListening({
      lists: {
        ...(tells('tools') ? { toolsListChanged: true } : {}),
        ...(tells('prompts') ? { promptsListChanged: true } : {}),
        ...(tells('resources') ? { resourcesListChanged: true } : {}),
      },
      timeoutMs: this.#target.timeouts.openMs,
      send: (id, filter, exchange) => this.#sendListen(id, filter, exchange),
      onNotification: (message) => this.#told(message),
      onGap: () => {
        for (const kind of Object.values(LIST_CHANGED)) this.#listener.onListChanged(kind)
      },
      onUnreachable: (error) => this.#lost(error),
    })
    return this.#listening
  }

  #sendListen(id: string, filter: JsonObject, exchange: Exchange): Sent {
    const method = 'subscriptions/listen'
    const options = { method, params: RawJson.fromValue<JsonObject>({ notifications: filter }) }
    const text = requestText(id, method, this.#stamped(options, id))
    const sent = this.#transport?.send(text, exchange, { headers: headersOf(options) })
    return {
      stop: () => {
        sent?.stop()
        this.#tellCancelled(id)
      },
    }
  }

  #channel(): Channel {
    return {
      onMessage: (message) => this.#receive(message, undefined),
      onNoise: (what) => this.#listener.onNoise(what),
      onGap: () => undefined,
      onClose: (reason) => this.#lost(reason),
    }
  }

  /** `asker` is the request on whose answer stream the message came; undefined on a channel shared by all. */
  #receive(message: Message, asker: Pending | undefined): void {
    if (message.kind === 'notification') return this.#hear(message, asker)
    if (message.kind === 'request') {
      return this.#listener.onNoise('a request, which servers of this revision must not send')
    }
    const isUnnamed = message.kind === 'error' && message.id === undefined
    const pending = isUnnamed ? asker : this.#pending.get(message.id)
    if (pending === undefined) return this.#listener.onNoise('an answer to no request of ours')
    if (message.kind === 'result') this.#pending.succeed(pending, message.result)
    else this.#pending.fail(pending, message.error)
  }

  #hear(message: NotificationMessage, asker: Pending | undefined): void {
    const { method, params } = message
    if (method === 'notifications/progress') return this.#progress(params)
    if (method === 'notifications/message') return this.#log(params, asker)
    // All else belongs to a subscription; over HTTP it comes on the stream of it.
    if (asker === undefined) this.#listening?.hear(message)
  }

  #told({ method, params }: NotificationMessage): void {
    const kind = LIST_CHANGED[method]
    if (kind !== undefined) return this.#listener.onListChanged(kind)
    const { uri } = params.value
    if (method === 'notifications/resources/updated' && typeof uri === 'string') {
      this.#listener.onUpdated(uri)
    }
  }

  #progress(params: RawObject): void {
    const { progressToken, progress } = params.value
    const pending = this.#pending.get(progressToken)
    if (pending?.call.wantsProgress !== true) return
    if (typeof progress !== 'number' || progress <= pending.lastProgress) return
    pending.lastProgress = progress
    if (this.#target.timeouts.resetOnProgress) pending.deadline.restart()
    const stripped = withMembers(params, { progressToken: undefined })
    pending.call.notify?.({ method: 'notifications/progress', params: stripped })
  }

  #log(params: RawObject, asker: Pending | undefined): void {
    const { logger } = params.value
    const { name } = this.#target
    const attributed = withMembers(params, {
      logger: JSON.stringify(typeof logger === 'string' ? `${name}/${logger}` : name),
    })
    const pending = asker ?? this.#pending.onlyCall()
    pending?.call.notify?.({ method: 'notifications/message', params: attributed })
  }

  /** Over HTTP the end of the request says it; on a channel shared by all it has to be said. */
  #abandoned(pending: Pending, reason: Error): void {
    pending.sent.stop()
    this.#tellCancelled(
      pending.id,
      reason instanceof CallCancelledError ? reason.message : reasonOf(reason),
    )
  }

  #tellCancelled(requestId: string | number, reason?: string): void {
    if (this.#transport?.isShared !== true) return
    const params = RawJson.fromValue<JsonObject>(
      reason === undefined ? { requestId } : { requestId, reason },
    )
    void this.#transport.notify(notificationText('notifications/cancelled', params))
  }

  #lost(reason: Error): void {
    if (this.#closeReason !== undefined) return
    this.#end(reason)
    this.#listener.onClose(reason)
  }

  #end(reason: Error): void {
    this.#listening?.close()
    this.#closeReason ??= reason
    // Whatever ended the session: what was sent in it may have run.
    this.#pending.failAll(afterRunning(reason))
  }

  #protocolError(message: string): BackendProtocolError {
    return new BackendProtocolError(this.#target.name, message)
  }

  #closedByUs(): BackendUnreachableError {
    return new BackendUnreachableError(this.#target.name, 'the connection was closed', false)
  }
}

/** What a request repeats of its own body. */
function headersOf({ method, params, tool }: RequestOptions): Record<string, string> {
  const headers: Record<string, string> = { 'mcp-method': method }
  const name = nameOf(method, params.value)
  if (typeof name === 'string') headers['mcp-name'] = encodeHeader(name)
  if (tool === undefined || tool.paramHeaders.length === 0) return headers
  return { ...headers, ...paramHeaderValues(tool.paramHeaders, params.value['arguments']) }
}

/**
 * Whether an error shows that the server speaks something else. Not keyed to one code: old servers refuse what they do
 * not know in many ways. Errors that only this era has show that the server is of it.
 */
function verdictOf(error: unknown): unknown {
  if (error instanceof JsonRpcError) {
    const { rpcCode, data } = error
    if (rpcCode === ErrorCode.HeaderMismatch || rpcCode === ErrorCode.MissingClientCapability) {
      return error
    }
    if (rpcCode === ErrorCode.UnsupportedVersion) {
      const supported = isJsonObject(data?.value) ? data.value['supported'] : undefined
      const isOlder =
        Array.isArray(supported) &&
        supported.some((it) => typeof it === 'string' && it < MODERN_VERSION)
      return isOlder ? new NotModernError(error.message) : error
    }
    return new NotModernError(error.message)
  }
  if (!(error instanceof BackendProtocolError)) return error
  const { status } = error
  const isInconclusive = status !== undefined && (status >= 500 || INCONCLUSIVE.has(status))
  return isInconclusive ? error : new NotModernError(error.message)
}
