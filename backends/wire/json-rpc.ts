/**
 * JSON-RPC 2.0 as MCP uses it: the four kinds of message, read with their raw text kept, and written.
 * Both hops speak it, so it lives in the lowest folder; it knows neither eras nor transports.
 */
import { reasonOf } from '../errors.js'
import type { MessageText } from './message-text.js'
import type { JsonObject, JsonValue, RawObject } from './raw-json.js'
import { EMPTY_OBJECT, isJsonObject, RawJson, rawMemberOf, requireFlat } from './raw-json.js'
import { MalformedJsonError, rawElements } from './json-text.js'

export type RequestId = string | number

export interface RequestMessage {
  readonly kind: 'request'
  readonly id: RequestId
  readonly method: string
  readonly params: RawObject
}
export interface NotificationMessage {
  readonly kind: 'notification'
  readonly method: string
  readonly params: RawObject
}
export interface ResultMessage {
  readonly kind: 'result'
  readonly id: RequestId
  readonly result: RawObject
}
export interface ErrorMessage {
  readonly kind: 'error'
  /** Absent or `null` on the wire when the sender could not read the id it answers. */
  readonly id: RequestId | undefined
  readonly error: JsonRpcError
}
export type Message = RequestMessage | NotificationMessage | ResultMessage | ErrorMessage

/** JSON-RPC and MCP error codes; mcp-protocol.md §0 says who may see which. */
export const ErrorCode = {
  ParseError: -32700,
  InvalidRequest: -32600,
  MethodNotFound: -32601,
  InvalidParams: -32602,
  InternalError: -32603,
  /** Legacy revisions only. */
  ResourceNotFound: -32002,
  /** 2025-11-25 only; its data lists URL elicitations to complete first. */
  UrlElicitationRequired: -32042,
  /** From 2026-07-28 on. */
  HeaderMismatch: -32020,
  MissingClientCapability: -32021,
  UnsupportedVersion: -32022,
} as const

/** An error response, ours or a peer's: what goes over the wire, with the text of `data` kept. */
export class JsonRpcError extends Error {
  readonly rpcCode: number
  readonly data: RawJson | undefined

  constructor(rpcCode: number, message: string, data?: RawJson) {
    super(message)
    this.name = 'JsonRpcError'
    this.rpcCode = rpcCode
    this.data = data
  }
}

/** Text or JSON that is no JSON-RPC message. `id` is there when it could be read, so that the answer can echo it. */
export class InvalidMessageError extends Error {
  readonly code = 'ERR_INVALID_MESSAGE'
  readonly rpcCode: number
  readonly id: RequestId | undefined

  constructor(rpcCode: number, message: string, id?: RequestId) {
    super(message)
    this.rpcCode = rpcCode
    this.id = id
  }
}

/**
 * Reads one message.
 * @throws InvalidMessageError −32700 for text that is not JSON, −32600 for JSON that is not a message.
 */
export function readMessage(text: string): Message {
  return messageOf(parseJson(text), text)
}

/**
 * Reads one message or a batch (JSON-RPC allows it, MCP only in revision 2025-03-26). A member of a batch that
 * is no message is given as the error, in its place.
 * @throws InvalidMessageError where the text is not JSON, or a single message is none.
 */
export function readMessages(text: string): Message | (Message | InvalidMessageError)[] {
  const value = parseJson(text)
  if (!Array.isArray(value)) return messageOf(value, text)
  const texts = elementsOf(text)
  return value.map((element, index) => {
    try {
      return messageOf(element, texts[index])
    } catch (error) {
      if (error instanceof InvalidMessageError) return error
      throw error
    }
  })
}

/** A message from JSON that somebody else parsed (the SDK's stdio framing). */
export function messageFromValue(value: JsonValue): Message {
  return messageOf(value, undefined)
}

export function requestText(id: RequestId, method: string, params: RawObject): string {
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"method":${JSON.stringify(method)},"params":${params.text}}`
}

export function notificationText(method: string, params: RawObject = EMPTY_OBJECT): string {
  const tail = params === EMPTY_OBJECT ? '' : `,"params":${params.text}`
  return `{"jsonrpc":"2.0","method":${JSON.stringify(method)}${tail}}`
}

export function resultText(id: RequestId, result: RawObject): string {
  return `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${result.text}}`
}

/** The same where a large result is passed on as it came. */
export function resultMessage(id: RequestId, result: RawObject): MessageText {
  const { wire } = result
  return typeof wire === 'string'
    ? resultText(id, result)
    : [`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":`, ...wire, '}']
}

/** `id` is `null` on the wire when the request's could not be read (JSON-RPC 2.0 §5). */
export function errorText(id: RequestId | undefined, error: JsonRpcError): string {
  const data = error.data === undefined ? '' : `,"data":${error.data.text}`
  return `{"jsonrpc":"2.0","id":${id === undefined ? 'null' : JSON.stringify(id)},"error":{"code":${error.rpcCode},"message":${JSON.stringify(error.message)}${data}}}`
}

function parseJson(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue
  } catch (cause) {
    throw new InvalidMessageError(ErrorCode.ParseError, `not JSON: ${whyNotJson(cause)}`)
  }
}

function elementsOf(text: string): string[] {
  try {
    return rawElements(text)
  } catch (error) {
    if (!(error instanceof MalformedJsonError)) throw error
    throw new InvalidMessageError(ErrorCode.InvalidRequest, error.message)
  }
}

/** Without the piece of the text that V8 quotes, which may be anything. */
export function whyNotJson(error: unknown): string {
  return reasonOf(error).replace(/, (\.{3})?".*" ?(\.{3})? is not valid JSON$/s, '')
}

function messageOf(value: JsonValue, text: string | undefined): Message {
  if (!isJsonObject(value)) {
    throw new InvalidMessageError(ErrorCode.InvalidRequest, 'a JSON-RPC message is an object')
  }
  const id = idOf(value)
  const refuse = (why: string): never => {
    throw new InvalidMessageError(ErrorCode.InvalidRequest, why, id)
  }
  if (value['jsonrpc'] !== '2.0') return refuse('"jsonrpc" must be "2.0"')
  const raw = (key: string): RawObject => rawMember(value, text, key, refuse)

  if (value['method'] !== undefined) {
    if (typeof value['method'] !== 'string') return refuse('"method" must be a string')
    const method = value['method']
    if (value['params'] !== undefined && !isJsonObject(value['params'])) {
      return refuse('"params" must be an object')
    }
    const params = raw('params')
    if (value['id'] === undefined) return { kind: 'notification', method, params }
    if (id === undefined) return refuse('"id" must be a string or an integer')
    return { kind: 'request', id, method, params }
  }
  if (isJsonObject(value['result'])) {
    if (id === undefined) return refuse('a result needs the id of its request')
    return { kind: 'result', id, result: raw('result') }
  }
  if (isJsonObject(value['error']))
    return { kind: 'error', id, error: errorOf(raw('error'), refuse) }
  return refuse('neither "method" nor an object "result" or "error"')
}

function rawMember(
  value: JsonObject,
  text: string | undefined,
  key: string,
  refuse: (why: string) => never,
): RawObject {
  const member = value[key]
  if (!isJsonObject(member)) return EMPTY_OBJECT
  return orRefuse(refuse, () => {
    if (text !== undefined) return RawJson.fromText(rawMemberOf(text, key) ?? '{}', member)
    requireFlat(member)
    return RawJson.fromValue(member)
  })
}

function orRefuse<T>(refuse: (why: string) => never, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof MalformedJsonError) return refuse(error.message)
    throw error
  }
}

function idOf(value: JsonObject): RequestId | undefined {
  const id = value['id']
  return typeof id === 'string' || Number.isSafeInteger(id) ? (id as RequestId) : undefined
}

function errorOf(error: RawObject, refuse: (why: string) => never): JsonRpcError {
  const { code, message, data } = error.value
  const raw =
    data === undefined ? undefined : orRefuse(refuse, () => rawMemberOf(error.text, 'data'))
  return new JsonRpcError(
    Number.isSafeInteger(code) ? (code as number) : ErrorCode.InternalError,
    typeof message === 'string' ? message : 'the peer gave no message',
    raw === undefined ? undefined : RawJson.fromText(raw, data),
  )
}
