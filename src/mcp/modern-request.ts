/**
 * What a request of 2026-07-28 says of itself, checked in the order of mcp-protocol.md §3.2: its headers against its
 * body, and its `_meta`. What is wrong is refused before anybody works on it.
 */
import type { IncomingMessage } from 'node:http'
import type {
  JsonObject,
  LogLevel,
  RawObject,
  RequestId,
  RequestMessage,
  ToolTraits,
} from '../../backends/index.js'
import {
  decodeHeader,
  ErrorCode,
  isJsonObject,
  isLogLevel,
  MetaKey,
  MODERN_VERSION,
  nameOf,
  valueAt,
  withMeta,
} from '../../backends/index.js'
import { RefusedError } from '../http/refusal.js'

export interface ModernRequest {
  readonly id: RequestId
  readonly method: string
  /** Without what belongs to this hop. */
  readonly params: RawObject
  readonly capabilities: JsonObject
  /** What the client calls itself; nothing to rely on. */
  readonly client: { readonly name: string; readonly version: string }
  readonly logLevel: LogLevel | undefined
  readonly progressToken: RequestId | undefined
}

const MAX_CAPABILITIES_CHARS = 4_096

/** @throws RefusedError 400 */
export function readModernRequest(
  { headers }: IncomingMessage,
  { id, method, params }: RequestMessage,
): ModernRequest {
  const meta = isJsonObject(params.value['_meta']) ? params.value['_meta'] : {}
  const version = meta[MetaKey.protocolVersion]
  const capabilities = meta[MetaKey.clientCapabilities]
  const refuse = (message: string, rpcCode: number, data?: JsonObject): never => {
    throw new RefusedError(400, message, { id, rpcCode, ...(data === undefined ? {} : { data }) })
  }
  const mismatch = (message: string): never => refuse(message, ErrorCode.HeaderMismatch)

  const missing = [MetaKey.protocolVersion, MetaKey.clientCapabilities].filter(
    (key) => meta[key] === undefined,
  )
  if (version !== undefined && headers['mcp-protocol-version'] !== version) {
    mismatch('the MCP-Protocol-Version header and _meta must name the same version')
  }
  if (missing.length > 0) {
    refuse(`"params._meta" lacks ${missing.join(' and ')}`, ErrorCode.InvalidParams)
  }
  if (typeof version !== 'string' || !isJsonObject(capabilities)) {
    return refuse('"params._meta" is not as it must be', ErrorCode.InvalidParams)
  }
  if (version !== MODERN_VERSION) {
    const data = { supported: [MODERN_VERSION], requested: version }
    refuse('this version is not served here', ErrorCode.UnsupportedVersion, data)
  }
  // They are kept as long as the client may come back; a session of the older era has no more either.
  if (JSON.stringify(capabilities).length > MAX_CAPABILITIES_CHARS) {
    const message = `the client capabilities are larger than ${MAX_CAPABILITIES_CHARS} characters`
    refuse(message, ErrorCode.InvalidParams)
  }
  if (headers['mcp-method'] !== method) mismatch('the Mcp-Method header must repeat the method')
  const name = nameOf(method, params.value)
  const nameHeader = headers['mcp-name']
  if (name !== undefined) {
    const repeated = typeof nameHeader === 'string' ? decodeHeader(nameHeader) : undefined
    if (repeated !== name) mismatch('the Mcp-Name header must repeat what the request names')
  }
  const logLevel = meta[MetaKey.logLevel]
  if (logLevel !== undefined && !isLogLevel(logLevel)) {
    refuse(`"${MetaKey.logLevel}" must be a log level of RFC 5424`, ErrorCode.InvalidParams)
  }
  const { progressToken } = meta
  const hasToken = typeof progressToken === 'string' || Number.isSafeInteger(progressToken)
  return {
    id,
    method,
    params: withMeta(params, OF_THIS_HOP),
    capabilities,
    client: clientOf(meta[MetaKey.clientInfo]),
    logLevel: isLogLevel(logLevel) ? logLevel : undefined,
    progressToken: hasToken ? (progressToken as RequestId) : undefined,
  }
}

function clientOf(info: unknown): ModernRequest['client'] {
  const { name, version } = isJsonObject(info) ? info : {}
  return {
    name: typeof name === 'string' ? name.slice(0, 128) : '',
    version: typeof version === 'string' ? version.slice(0, 128) : '',
  }
}

const OF_THIS_HOP: Readonly<Record<string, undefined>> = {
  ...Object.fromEntries(Object.values(MetaKey).map((key) => [key, undefined])),
  progressToken: undefined,
  traceparent: undefined,
  tracestate: undefined,
  baggage: undefined,
}

/**
 * Checks the arguments that a tool wants repeated in headers.
 * @throws RefusedError 400
 */
export function checkParamHeaders(
  { headers }: IncomingMessage,
  { id, params }: ModernRequest,
  { paramHeaders }: ToolTraits,
): void {
  for (const { header, path } of paramHeaders) {
    const value = valueAt(params.value['arguments'], path)
    const given = headers[header]
    const repeated = typeof given === 'string' ? decodeHeader(given) : undefined
    const isAbsent = value === undefined && given === undefined
    if (isAbsent || (repeated !== undefined && repeats(repeated, value))) continue
    const message = `the ${header} header must repeat the argument "${path.join('.')}"`
    throw new RefusedError(400, message, { id, rpcCode: ErrorCode.HeaderMismatch })
  }
}

function repeats(header: string, value: string | number | boolean | undefined): boolean {
  if (value === undefined) return false
  // 42.0 and 42 are one number.
  if (typeof value === 'number') return header.trim() !== '' && Number(header) === value
  return header === String(value)
}
