/** On what terms a request is served: what its caller may see and use, and how often. */
import type { IncomingHttpHeaders } from 'node:http'
import type { JsonObject, RawObject, SubjectToken } from '../../backends/index.js'
import { JsonRpcError, RawJson } from '../../backends/index.js'
import type { Principal } from '../auth/principal.js'
import type { Permit, VirtualServer } from '../../federation/index.js'
import type { Entry, Reason, Use } from '../limits/limiter.js'
import type { RequestObserver } from '../telemetry/observation.js'

export interface Terms {
  /** What may be seen and used; absent for everything. */
  readonly permit: Permit | undefined
  readonly principal: Principal
  /** The token of the caller, for servers that are called on the caller's account. */
  readonly subject: SubjectToken | undefined
  readonly address: string
  /** Of the request; what goes along to servers is theirs to say. */
  readonly headers: IncomingHttpHeaders
  /** Whether anything is. */
  readonly isLimited: boolean
  enter(use: Use): Entry | Promise<Entry>
  /** The caller may try again after this long. */
  limited(retryAfterMs: number): void
  /** Whether a token reaches as far as this tool, by its name in the whole. @throws RefusedError 401 or 403 */
  requireScopes(tool: () => string): void
}

interface Request {
  readonly method: string
  readonly params: RawObject
}

const LIMITED: ReadonlySet<string> = new Set([
  'tools/call',
  'prompts/get',
  'resources/read',
  'completion/complete',
])

/**
 * Runs a call within its limits. Beyond them the caller reads when to try again; a model reads it as the result of the
 * tool, because an HTTP 429 would end the session of many a client.
 * @throws what the call throws, at once or in the promise; JsonRpcError for what is no tool
 */
export function withinLimits(
  terms: Terms,
  server: VirtualServer,
  session: string,
  request: Request,
  observation: RequestObserver,
  run: () => Promise<RawObject>,
): Promise<RawObject> {
  return terms.isLimited && LIMITED.has(request.method)
    ? counted(terms, server, session, request, observation, run)
    : run()
}

async function counted(
  terms: Terms,
  server: VirtualServer,
  session: string,
  { method, params }: Request,
  observation: RequestObserver,
  run: () => Promise<RawObject>,
): Promise<RawObject> {
  const { permit, principal, address } = terms
  const { name = '' } = params.value
  const entering = terms.enter({
    method,
    principal: principal.id,
    session,
    address,
    tool:
      method === 'tools/call' && typeof name === 'string' ? server.toolCalled(name, permit) : '',
    target: server.ownerOf(method, params.value, permit) ?? '',
  })
  // Counted in this process, a call goes on at once.
  const entry = entering instanceof Promise ? await entering : entering
  if (!entry.isAdmitted) {
    observation.limited()
    terms.limited(entry.retryAfterMs)
    return limitedResult(entry.reason, entry.retryAfterMs, method)
  }
  try {
    return await run()
  } finally {
    // Whoever has the answer may call again at once, be it at another replica.
    const releasing = entry.release()
    if (releasing !== undefined) await releasing
  }
}

const WHY: Readonly<Record<Reason, string>> = {
  rate: 'This is called too often',
  concurrency: 'Too many calls run at once',
  store: 'How often this is called cannot be counted now',
}

function limitedResult(reason: Reason, retryAfterMs: number, method: string): RawObject {
  const seconds = Math.ceil(retryAfterMs / 1_000)
  const message = `${WHY[reason]}. Try again in ${seconds} second${seconds === 1 ? '' : 's'}.`
  if (method !== 'tools/call') {
    throw new JsonRpcError(LIMITED_CODE, message, RawJson.fromValue<JsonObject>({ retryAfterMs }))
  }
  return RawJson.fromValue<JsonObject>({
    content: [{ type: 'text', text: message }],
    isError: true,
    _meta: { 'mcp-junction.dev/retryAfterMs': retryAfterMs },
  })
}

/** @throws RefusedError 401 or 403, while the answer can still have a status */
export function requireScopes(
  terms: Terms,
  server: VirtualServer,
  { method, params }: Request,
): void {
  const { name } = params.value
  if (method !== 'tools/call' || typeof name !== 'string') return
  terms.requireScopes(() => server.toolCalled(name, terms.permit, params.value))
}

/** Of the range that servers may use as they like (JSON-RPC 2.0 §5.1), and not of those that MCP has taken. */
const LIMITED_CODE = -32_010
