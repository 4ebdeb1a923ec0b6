/** The door of `backends`: MCP clients to upstream servers. Imports nothing of ours. */
export type { BackendListener, BackendState } from './backend.js'
export { Backend } from './backend.js'
export type { Call, Caller, CallNotification } from './call.js'
export type { AnyBackendError } from './errors.js'
export {
  BackendProtocolError,
  BackendTimeoutError,
  BackendUnreachableError,
  CallCancelledError,
  isBackendError,
  reasonOf,
  UpstreamSessionLostError,
} from './errors.js'
export type { ListKind, ServerDescription } from './legacy-client.js'
export type { RegistryListener } from './registry.js'
export { Registry } from './registry.js'
export type { Endpoint, StdioScope, Target, TargetName, Timeouts } from './target.js'
export { durationSchema, sameTarget, targetNameSchema, targetSchema } from './target.js'
export type {
  ErrorMessage,
  Message,
  NotificationMessage,
  RequestId,
  RequestMessage,
  ResultMessage,
} from './wire/json-rpc.js'
export {
  ErrorCode,
  errorText,
  InvalidMessageError,
  JsonRpcError,
  notificationText,
  readMessage,
  readMessages,
  requestText,
  resultText,
} from './wire/json-rpc.js'
export type { JsonObject, JsonValue, RawObject } from './wire/raw-json.js'
export {
  EMPTY_OBJECT,
  isJsonObject,
  joinMembers,
  MalformedJsonError,
  RawJson,
  rawElements,
  rawMembers,
  withMembers,
  withMeta,
} from './wire/raw-json.js'
export type { SseEvent } from './wire/sse.js'
export { SSE_KEEP_ALIVE, sseMessage, SseReader } from './wire/sse.js'
