/**
 * The downstream edge for revisions up to 2025-11-25: what each message of a session asks for, in neutral form, and
 * the answer in the form this era knows. It knows federation's virtual servers and nothing of HTTP.
 */
import type {
  Call,
  CallNotification,
  Cancellation,
  JsonObject,
  NotificationMessage,
  RawObject,
  RequestMessage,
} from '../../backends/index.js'
import {
  CallCancelledError,
  EMPTY_OBJECT,
  errorText,
  isJsonObject,
  notificationText,
  RawJson,
  resultText,
  withMembers,
  withMeta,
} from '../../backends/index.js'
import type { CatalogKind, ServerSelf, VirtualServer } from '../../federation/index.js'
import { InvalidParamsError, UnknownMethodError } from '../../federation/index.js'
import { DuplicateRequestError, toJsonRpcError } from '../errors.js'
import type { Session } from '../session/session.js'

/** Answers with the text of a JSON-RPC response, or with `undefined` where the client wants none any more. */
export async function answerRequest(
  server: VirtualServer,
  session: Session,
  request: RequestMessage,
  notify: (text: string) => void,
  onInternalError: (error: unknown) => void,
): Promise<string | undefined> {
  const cancellation = session.begin(request.id)
  if (cancellation === undefined)
    return errorText(request.id, toJsonRpcError(new DuplicateRequestError()))
  try {
    const result = await perform(server, session, request, cancellation, notify)
    return resultText(request.id, result)
  } catch (error) {
    if (error instanceof CallCancelledError) return undefined
    return errorText(request.id, toJsonRpcError(error, onInternalError))
  } finally {
    session.finish(request.id)
  }
}

/** Nothing is answered to a notification, an unknown one included. */
export function hearNotification(session: Session, { method, params }: NotificationMessage): void {
  if (method !== 'notifications/cancelled') return
  const { requestId } = params.value
  if (typeof requestId === 'string' || typeof requestId === 'number') session.cancel(requestId)
}

/** The result of `initialize`. */
export function initializeResult(self: ServerSelf, protocolVersion: string): RawObject {
  const { capabilities, serverInfo, instructions } = self
  return RawJson.fromValue<JsonObject>({
    protocolVersion,
    capabilities,
    serverInfo,
    ...(instructions === undefined ? {} : { instructions }),
  })
}

const LIST_METHODS: Readonly<Record<string, readonly [CatalogKind, capability: string]>> = {
  'tools/list': ['tools', 'tools'],
  'prompts/list': ['prompts', 'prompts'],
  'resources/list': ['resources', 'resources'],
  'resources/templates/list': ['templates', 'resources'],
}

async function perform(
  server: VirtualServer,
  session: Session,
  request: RequestMessage,
  cancellation: Cancellation,
  notify: (text: string) => void,
): Promise<RawObject> {
  const { method, params } = request
  if (method === 'ping') return EMPTY_OBJECT
  const list = Object.hasOwn(LIST_METHODS, method) ? LIST_METHODS[method] : undefined
  if (list === undefined) return server.call(callOf(session, method, params, cancellation, notify))
  const [kind, capability] = list
  if (!session.seed.promised.includes(capability) && !server.offers(capability)) {
    throw new UnknownMethodError(`Method not found: ${method}`)
  }
  // Lists are given whole, so there is no cursor that we ever gave out.
  if (params.value['cursor'] !== undefined) throw new InvalidParamsError('unknown cursor')
  return server.list(kind)
}

function callOf(
  session: Session,
  method: string,
  params: RawObject,
  cancellation: Cancellation,
  notify: (text: string) => void,
): Call {
  const meta = params.value['_meta']
  const token = isJsonObject(meta) ? meta['progressToken'] : undefined
  const wantsProgress = typeof token === 'string' || Number.isSafeInteger(token)
  // The client's token belongs to this hop: it comes off here and goes on every notification coming back.
  const stamp = JSON.stringify(token)
  return {
    method,
    params: token === undefined ? params : withMeta(params, { progressToken: undefined }),
    caller: session.caller,
    cancellation,
    wantsProgress,
    notify: (notification: CallNotification) => {
      if (!wantsProgress || cancellation.isCancelled) return
      const stamped = withMembers(notification.params, { progressToken: stamp })
      notify(notificationText(notification.method, stamped))
    },
  }
}
