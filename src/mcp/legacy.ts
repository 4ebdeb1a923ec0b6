/**
 * The downstream edge for revisions up to 2025-11-25: what each message of a session asks for, in neutral form, and
 * the answer in the form this era knows. It knows federation's virtual servers and nothing of HTTP.
 */
import type {
  Call,
  CallNotification,
  Cancellation,
  JsonObject,
  MessageText,
  ErrorMessage,
  NotificationMessage,
  RawObject,
  RequestId,
  RequestMessage,
  ResultMessage,
  ServerRequest,
} from '../../backends/index.js'
import {
  CallCancelledError,
  StatefulSessionLostError,
  EMPTY_OBJECT,
  ErrorCode,
  errorText,
  isJsonObject,
  isLogLevel,
  JsonRpcError,
  notificationText,
  RawJson,
  requestText,
  resultMessage,
  withMembers,
  withMeta,
} from '../../backends/index.js'
import type { CatalogKind, ListAnswer, ServerSelf, VirtualServer } from '../../federation/index.js'
import { InvalidParamsError, UnknownMethodError } from '../../federation/index.js'
import { DuplicateRequestError, toJsonRpcError } from '../errors.js'
import type { ReplyTokens } from '../session/reply-tokens.js'
import type { Session } from '../session/session.js'
import type { RequestObserver } from '../telemetry/observation.js'
import { fitForm } from './elicitation-form.js'
import { listResult } from './list-result.js'
import type { Terms } from './terms.js'
import { withinLimits } from './terms.js'
import { follow, unfollow } from './followed.js'

/** Towards the client, while its call runs. */
export interface WayBack {
  notify(text: string): void
  /** Resolves when the client can take more; `undefined` where it can now. */
  room(): Promise<void> | undefined
  /** Returns false where the client cannot be reached any more. */
  ask(text: string): boolean
  /** The session cannot go on: the client is to begin anew, if that can still be said. */
  lose?(): void
}

/** Answers with a JSON-RPC response, or with `undefined` where the client wants none any more. */
export async function answerRequest(
  server: VirtualServer,
  session: Session,
  request: RequestMessage,
  way: WayBack,
  tokens: ReplyTokens,
  onInternalError: (error: unknown) => void,
  terms: Terms,
  observation: RequestObserver,
): Promise<MessageText | undefined> {
  const cancellation = session.begin(request.id)
  if (cancellation === undefined) {
    const error = new DuplicateRequestError()
    return failureText(error, request, session, onInternalError, observation)
  }
  try {
    const result = await perform(
      server,
      session,
      request,
      () => callOf(session, request, cancellation, way, tokens, terms, observation),
      terms,
      observation,
    )
    const message = resultMessage(request.id, result)
    observation.succeeded(message)
    return message
  } catch (error) {
    const text = failureText(error, request, session, onInternalError, observation)
    if (error instanceof StatefulSessionLostError) way.lose?.()
    return error instanceof CallCancelledError ? undefined : text
  } finally {
    session.finish(request.id)
  }
}

function failureText(
  error: unknown,
  { id }: RequestMessage,
  session: Session,
  onInternalError: (error: unknown) => void,
  observation: RequestObserver,
): string {
  const shown = legacyError(toJsonRpcError(error, onInternalError), session)
  const text = errorText(id, shown)
  observation.failed(error, shown.rpcCode, text)
  return text
}

/** What needs no answer: a notification, or an answer to what a server asked. */
export function hear(
  server: VirtualServer,
  session: Session,
  message: NotificationMessage | ResultMessage | ErrorMessage,
  tokens: ReplyTokens,
  onInternalError: (error: unknown) => void,
): void {
  if (message.kind === 'notification') {
    hearNotification(server, session, message, tokens, onInternalError)
  } else hearAnswer(server, session, message, tokens, onInternalError)
}

/** Nothing is answered to a notification, an unknown one included. */
function hearNotification(
  server: VirtualServer,
  session: Session,
  { method, params }: NotificationMessage,
  tokens: ReplyTokens,
  onInternalError: (error: unknown) => void,
): void {
  if (method === 'notifications/cancelled') {
    const { requestId } = params.value
    if (isRequestId(requestId)) session.cancel(requestId)
  } else if (method === 'notifications/roots/list_changed') {
    server.rootsChanged(session.caller)
  } else if (method === 'notifications/progress') {
    const { progressToken } = params.value
    const replyTo = isRequestId(progressToken) ? tokens.open(session, progressToken) : undefined
    if (replyTo !== undefined) {
      unawaited(server.progress(session.caller, replyTo, params), onInternalError)
    }
  }
}

/** An answer to a request that a server made. One to no request of ours is dropped (mcp-protocol.md §2.1). */
function hearAnswer(
  server: VirtualServer,
  session: Session,
  answer: ResultMessage | ErrorMessage,
  tokens: ReplyTokens,
  onInternalError: (error: unknown) => void,
): void {
  const replyTo = answer.id === undefined ? undefined : tokens.open(session, answer.id)
  if (replyTo !== undefined) {
    unawaited(server.answer(session.caller, replyTo, answer), onInternalError)
  }
}

/** Whether an answer belongs to a question that this process cannot pass it on to, and another of ours may. */
export function belongsElsewhere(
  server: VirtualServer,
  session: Session,
  { id }: ResultMessage | ErrorMessage,
  tokens: ReplyTokens,
): boolean {
  const replyTo = id === undefined ? undefined : tokens.open(session, id)
  return replyTo !== undefined && !server.reaches(replyTo)
}

/** Nobody can be told what becomes of it. What is wrong with what the client said is no fault of ours. */
function unawaited(work: Promise<void>, onInternalError: (error: unknown) => void): void {
  work.catch((error: unknown) => toJsonRpcError(error, onInternalError))
}

function isRequestId(value: unknown): value is RequestId {
  return typeof value === 'string' || typeof value === 'number'
}

/** What a client of this era may read of an error (mcp-protocol.md §0): codes of 2026-07-28 mean nothing to it. */
function legacyError(error: JsonRpcError, { seed }: Session): JsonRpcError {
  const { rpcCode, message, data } = error
  const { elicitation } = seed.capabilities
  const knowsUrls = isJsonObject(elicitation) && elicitation['url'] !== undefined
  const isForeign = rpcCode <= -32020 && rpcCode >= -32029
  const isUnasked = rpcCode === ErrorCode.UrlElicitationRequired && !knowsUrls
  return isForeign || isUnasked ? new JsonRpcError(ErrorCode.InternalError, message, data) : error
}

/** A result as this era has it: what says how long it holds, and output that is no object, are of another. */
function legacyResult(result: RawObject): RawObject {
  const { ttlMs, cacheScope, structuredContent } = result.value
  const isOdd = structuredContent !== undefined && !isJsonObject(structuredContent)
  if (ttlMs === undefined && cacheScope === undefined && !isOdd) return result
  return withMembers(result, {
    ttlMs: undefined,
    cacheScope: undefined,
    ...(isOdd ? { structuredContent: undefined } : {}),
  })
}

/** The result of `initialize`. */
export function initializeResult(self: ServerSelf, protocolVersion: string): RawObject {
  const { serverInfo, instructions } = self
  const { tasks, ...capabilities } = self.capabilities
  const hasTasks = tasks !== undefined && protocolVersion >= TASKS_SINCE
  return RawJson.fromValue<JsonObject>({
    protocolVersion,
    capabilities: hasTasks ? { ...capabilities, tasks } : capabilities,
    serverInfo,
    ...(instructions === undefined ? {} : { instructions }),
  })
}

/** Revisions are dates, so they compare as text. */
const TASKS_SINCE = '2025-11-25'

const LIST_METHODS: Readonly<Record<string, readonly [CatalogKind, capability: string]>> = {
  'tools/list': ['tools', 'tools'],
  'prompts/list': ['prompts', 'prompts'],
  'resources/list': ['resources', 'resources'],
  'resources/templates/list': ['templates', 'resources'],
}

type Perform = (
  server: VirtualServer,
  session: Session,
  request: RequestMessage,
  call: () => Call,
  terms: Terms,
  observation: RequestObserver,
) => RawObject | Promise<RawObject>

/** Throws at once or in the promise: what most calls pass through makes no promises of its own. */
const perform: Perform = (server, session, request, ...rest) => {
  const arrival = server.arrival(request)
  return arrival === undefined
    ? serve(server, session, request, ...rest)
    : arrival.then(() => serve(server, session, request, ...rest))
}

const serve: Perform = (server, session, request, call, terms, observation) => {
  const { method, params } = request
  if (method === 'ping') return EMPTY_OBJECT
  if (method === 'logging/setLevel') return setLogLevel(server, session, params)
  if (method === 'resources/subscribe') return follow(server, session, params, terms.permit)
  if (method === 'resources/unsubscribe') return unfollow(server, session, params, terms.permit)
  const list = Object.hasOwn(LIST_METHODS, method) ? LIST_METHODS[method] : undefined
  if (list === undefined) {
    const { uid } = session.seed
    const answer = withinLimits(terms, server, uid, request, observation, () =>
      server.call(call(), terms.permit),
    )
    return answer.then(legacyResult)
  }
  const [kind, capability] = list
  if (!session.seed.promised.includes(capability) && !server.offers(capability)) {
    throw new UnknownMethodError(`Method not found: ${method}`)
  }
  // Lists are given whole, so there is no cursor that we ever gave out.
  if (params.value['cursor'] !== undefined) throw new InvalidParamsError('unknown cursor')
  return server.list(kind, 'legacy', terms.permit).then(legacyList)
}

function legacyList(list: ListAnswer): RawObject {
  const { meta } = list
  return listResult(list, meta === undefined ? '' : `,"_meta":${JSON.stringify(meta)}`)
}

/** The level holds for the session: servers it uses are told now, others when it comes to use them. */
async function setLogLevel(
  server: VirtualServer,
  session: Session,
  params: RawObject,
): Promise<RawObject> {
  const { level } = params.value
  if (!isLogLevel(level)) throw new InvalidParamsError('"level" must be a log level of RFC 5424')
  session.caller.logLevel = level
  await server.setLogLevel(session.caller)
  return EMPTY_OBJECT
}

const OF_THIS_HOP = {
  progressToken: undefined,
  traceparent: undefined,
  tracestate: undefined,
  baggage: undefined,
} as const

function callOf(
  session: Session,
  { id, method, params }: RequestMessage,
  cancellation: Cancellation,
  way: WayBack,
  tokens: ReplyTokens,
  { headers, subject }: Terms,
  { watcher }: RequestObserver,
): Call {
  const meta = params.value['_meta']
  const token = isJsonObject(meta) ? meta['progressToken'] : undefined
  const wantsProgress = typeof token === 'string' || Number.isSafeInteger(token)
  // The client's token belongs to this hop: it comes off here and goes on every notification coming back.
  const stamp = JSON.stringify(token)
  const asked = new Map<RequestId, string>()
  return {
    method,
    params: meta === undefined ? params : withMeta(params, OF_THIS_HOP),
    caller: session.caller,
    tool: undefined,
    headers,
    watcher,
    trace: undefined,
    subject,
    logLevel: session.caller.logLevel,
    cancellation,
    wantsProgress,
    notify: (notification: CallNotification) => {
      if (cancellation.isCancelled) return
      if (notification.method === 'notifications/message' && !session.wants(notification.params)) {
        return
      }
      const isProgress = notification.method === 'notifications/progress'
      const stamped = isProgress
        ? withMembers(notification.params, { progressToken: stamp })
        : notification.params
      const text = notificationText(notification.method, stamped)
      // A task goes on when the call that made it has been answered.
      if (session.isRunning(id)) way.notify(text)
      else session.notify(text)
    },
    room: () => way.room(),
    ask: (request: ServerRequest) => {
      if (cancellation.isCancelled) return false
      const { replyTo, method: theirs } = request
      const { protocolVersion } = session.seed
      const asks =
        theirs === 'elicitation/create' ? fitForm(request.params, protocolVersion) : request.params
      if (asks === undefined) return false
      const sealed = tokens.seal(session, replyTo)
      asked.set(replyTo.id, sealed)
      // The id says where progress belongs too, so it is the token for it.
      const wanted =
        replyTo.progressToken === undefined
          ? asks
          : withMeta(asks, { progressToken: JSON.stringify(sealed) })
      return way.ask(requestText(sealed, theirs, wanted))
    },
    withdraw: (theirs: RequestId) => {
      const requestId = asked.get(theirs)
      if (requestId === undefined) return
      const cancelled = RawJson.fromValue<JsonObject>({ requestId })
      way.notify(notificationText('notifications/cancelled', cancelled))
    },
  }
}
