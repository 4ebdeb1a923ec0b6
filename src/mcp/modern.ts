/**
 * The downstream edge for revision 2026-07-28: what each request asks for, in neutral form, and the answer in the form of
 * this era. It knows federation's virtual servers and nothing of HTTP but the status that an error has.
 */
import type {
  Call,
  CallNotification,
  Cancellation,
  JsonObject,
  RawObject,
} from '../../backends/index.js'
import {
  ErrorCode,
  isJsonObject,
  isWantedLevel,
  JsonRpcError,
  MetaKey,
  MODERN_VERSION,
  notificationText,
  RawJson,
  TASKS_EXTENSION,
  withMembers,
  withMeta,
} from '../../backends/index.js'
import type { CacheHint, CatalogKind, ListAnswer, VirtualServer } from '../../federation/index.js'
import { InvalidParamsError, NOT_CACHED, UnknownMethodError } from '../../federation/index.js'
import { toJsonRpcError } from '../errors.js'
import type { ModernCallers } from '../session/modern-callers.js'
import { isMoreTalkative } from '../session/modern-callers.js'
import type { RequestObserver } from '../telemetry/observation.js'
import { listResult } from './list-result.js'
import type { ModernRequest } from './modern-request.js'
import type { ModernResponse } from './modern-response.js'
import type { Terms } from './terms.js'
import { withinLimits } from './terms.js'

/** How long clients may go on with what they have discovered: what servers can changes when servers come and go. */
const DISCOVERY: CacheHint = { ttlMs: 60_000, scope: 'private' }

/** What a server has to offer for a method to be there. */
const NEEDS: Readonly<Record<string, string | undefined>> = {
  'server/discover': undefined,
  'tools/list': 'tools',
  'tools/call': 'tools',
  'prompts/list': 'prompts',
  'prompts/get': 'prompts',
  'resources/list': 'resources',
  'resources/templates/list': 'resources',
  'resources/read': 'resources',
  'completion/complete': 'completions',
  'subscriptions/listen': undefined,
}

const LIST_METHODS: Readonly<Record<string, CatalogKind>> = {
  'tools/list': 'tools',
  'prompts/list': 'prompts',
  'resources/list': 'resources',
  'resources/templates/list': 'templates',
}

const TASK_METHODS: ReadonlySet<string> = new Set(['tasks/get', 'tasks/update', 'tasks/cancel'])

/** @throws UnknownMethodError, JsonRpcError -32021 */
export function requireMethod(server: VirtualServer, request: ModernRequest): void {
  const { method } = request
  if (TASK_METHODS.has(method) && server.extendsTasks) return requireTasks(request)
  const isKnown = Object.hasOwn(NEEDS, method)
  const capability = isKnown ? NEEDS[method] : undefined
  if (isKnown && (capability === undefined || server.offers(capability))) return
  throw new UnknownMethodError(`Method not found: ${method.slice(0, 128)}`)
}

/** @throws JsonRpcError -32021 where the client did not declare the extension with this request */
function requireTasks({ capabilities }: ModernRequest): void {
  const { extensions } = capabilities
  if (isJsonObject(extensions) && isJsonObject(extensions[TASKS_EXTENSION])) return
  throw new JsonRpcError(
    ErrorCode.MissingClientCapability,
    'this needs a client with the tasks extension',
    RawJson.fromValue({ requiredCapabilities: { extensions: { [TASKS_EXTENSION]: {} } } }),
  )
}

/** The result of a request, as this era has it. @throws what `VirtualServer` throws */
export async function performModern(
  server: VirtualServer,
  request: ModernRequest,
  cancellation: Cancellation,
  response: ModernResponse,
  callers: ModernCallers,
  principal: string,
  terms: Terms,
  observation: RequestObserver,
): Promise<RawObject> {
  const { method, params } = request
  const { serverInfo } = server
  if (method === 'server/discover') return stamped(discovery(server), serverInfo, DISCOVERY)
  const list = Object.hasOwn(LIST_METHODS, method) ? LIST_METHODS[method] : undefined
  if (list !== undefined) {
    // Lists are given whole, so there is no cursor that we ever gave out.
    if (params.value['cursor'] !== undefined) throw new InvalidParamsError('unknown cursor')
    const answer = await server.list(list, 'modern', terms.permit)
    return listResult(answer, stampsOf(answer, serverInfo.value))
  }
  const caller = callers.of(principal, request.capabilities, terms.subject)
  if (request.logLevel !== undefined && isMoreTalkative(request.logLevel, caller)) {
    caller.logLevel = request.logLevel
    await server.setLogLevel(caller)
  }
  const call: Call = {
    method,
    // A client of this era cannot wish for a task; the server decides (ext-tasks).
    params: withMembers(params, { task: undefined }),
    caller,
    tool: undefined,
    headers: terms.headers,
    watcher: observation.watcher,
    trace: undefined,
    subject: terms.subject,
    logLevel: request.logLevel,
    cancellation,
    wantsProgress: request.progressToken !== undefined,
    notify: (notification) => tell(request, response, notification),
    room: () => response.room(),
    ask: undefined,
    withdraw: () => undefined,
  }
  const result = await withinLimits(terms, server, caller.key, request, observation, () =>
    server.call(call, terms.permit),
  )
  const isComplete = result.value['resultType'] === undefined
  return stamped(
    result,
    serverInfo,
    method === 'resources/read' && isComplete ? NOT_CACHED : undefined,
  )
}

/** What `stamped` adds, for a list that nobody has to read again. */
function stampsOf({ meta, cache }: ListAnswer, serverInfo: JsonObject): string {
  const { ttlMs, scope } = cache
  const marks = JSON.stringify({ ...meta, [MetaKey.serverInfo]: serverInfo })
  return `,"resultType":"complete","ttlMs":${ttlMs},"cacheScope":"${scope}","_meta":${marks}`
}

function discovery(server: VirtualServer): RawObject {
  const { capabilities, instructions } = server.describe('modern')
  return RawJson.fromValue<JsonObject>({
    supportedVersions: [MODERN_VERSION],
    capabilities,
    ...(instructions === undefined ? {} : { instructions }),
  })
}

/** The result with what this era has on every result. Hints that a server gave stay; `cache` is for those without. */
function stamped(
  result: RawObject,
  serverInfo: RawObject,
  cache: CacheHint | undefined,
): RawObject {
  const { resultType, ttlMs, cacheScope } = result.value
  const changes: Record<string, string> = {}
  if (resultType === undefined) changes['resultType'] = '"complete"'
  if (cache !== undefined && (typeof ttlMs !== 'number' || ttlMs < 0 || cacheScope === undefined)) {
    changes['ttlMs'] = String(cache.ttlMs)
    changes['cacheScope'] = JSON.stringify(cache.scope)
  }
  const marked = withMembers(result, changes)
  return withMeta(marked, { [MetaKey.serverInfo]: serverInfo.text })
}

function tell(request: ModernRequest, response: ModernResponse, it: CallNotification): void {
  const { logLevel, progressToken } = request
  if (it.method === 'notifications/progress') {
    const progress = withMembers(it.params, { progressToken: JSON.stringify(progressToken) })
    return response.notify(notificationText(it.method, progress))
  }
  // Nothing else is told on the stream of a request (2026-07-28 basic/transports/streamable-http).
  if (it.method !== 'notifications/message' || logLevel === undefined) return
  if (isWantedLevel(it.params.value['level'], logLevel)) {
    response.notify(notificationText(it.method, it.params))
  }
}

const STATUSES: Readonly<Record<number, number>> = {
  [ErrorCode.ParseError]: 400,
  [ErrorCode.InvalidRequest]: 400,
  [ErrorCode.MethodNotFound]: 404,
  [ErrorCode.MissingClientCapability]: 400,
}

/** What a client of this era may read of an error, and the HTTP status for it (mcp-protocol.md §0, §2.13). */
export function modernError(
  error: unknown,
  capabilities: JsonObject,
  onInternalError: (error: unknown) => void,
): { readonly error: JsonRpcError; readonly status: number } {
  const shown = firewall(toJsonRpcError(error, onInternalError), capabilities)
  return { error: shown, status: STATUSES[shown.rpcCode] ?? 200 }
}

function firewall(error: JsonRpcError, capabilities: JsonObject): JsonRpcError {
  const { rpcCode, message, data } = error
  if (rpcCode === ErrorCode.ResourceNotFound) {
    return new JsonRpcError(ErrorCode.InvalidParams, message, data)
  }
  if (rpcCode === ErrorCode.MissingClientCapability && lacks(capabilities, data?.value))
    return error
  // Codes that this era reserves say something of a hop, and this is another.
  const isReserved = rpcCode <= -32020 && rpcCode >= -32099
  return isReserved ? new JsonRpcError(ErrorCode.InternalError, message, data) : error
}

/** Whether it is this client that lacks what a server says it needs. */
function lacks(declared: JsonObject, data: unknown): boolean {
  const required = isJsonObject(data) ? data['requiredCapabilities'] : undefined
  if (!isJsonObject(required)) return false
  return Object.entries(required).some(([key, wanted]) => !includes(declared[key], wanted))
}

function includes(declared: unknown, wanted: unknown): boolean {
  if (!isJsonObject(wanted)) return declared !== undefined
  if (!isJsonObject(declared)) return false
  return Object.entries(wanted).every(([key, inner]) => includes(declared[key], inner))
}
