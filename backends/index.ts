/** The door of `backends`: MCP clients to upstream servers. Imports nothing of ours. */
export type { AttributeSettings } from './attributes.js'
export { attributesSchema } from './attributes.js'
export { BackOff } from './back-off.js'
export { Backend } from './backend.js'
export type {
  Asking,
  Call,
  Caller,
  UpstreamPlace,
  CallNotification,
  CallWatcher,
  Era,
  ReplyTo,
  ServerRequest,
  SubjectToken,
  ToolTraits,
  TraceContext,
} from './call.js'
export { ANONYMOUS } from './call.js'
export { Cancellation } from './cancellation.js'
export type { Circuit } from './circuit-breaker.js'
export { headersSchema } from './credentials.js'
export { durationSchema } from './duration.js'
export type { AnyBackendError } from './errors.js'
export { CallCancelledError, isBackendError, reasonOf, StatefulSessionLostError } from './errors.js'
export { HttpPoster } from './http-poster.js'
export { httpUrlSchema } from './oauth/settings.js'
export type { LogLevel } from './log-level.js'
export { isLogLevel, isWantedLevel } from './log-level.js'
export type { Membership } from './members.js'
export { Members } from './members.js'
export { probeBackend } from './probe.js'
export type { BackendState } from './monitor.js'
export type { RegistryChange } from './registry.js'
export { Registry } from './registry.js'
export type { ListKind, ServerDescription } from './server-description.js'
export type { BackendId, Target, TargetName, TargetOptions } from './target.js'
export { idOf, optionFields, prefixSchema, targetSchema } from './target.js'
export type { TaskIds, TaskPlace } from './task-calls.js'
export type { ConfiguredTarget, Variation } from './variants.js'
export { configuredTargetSchema, serverNamesOf } from './variants.js'
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
  resultMessage,
  resultText,
} from './wire/json-rpc.js'
export {
  BadParamHeaderError,
  decodeHeader,
  MetaKey,
  MODERN_VERSION,
  nameOf,
  paramHeadersOf,
  TASKS_EXTENSION,
  valueAt,
} from './wire/modern.js'
export type { JsonObject, JsonValue, RawObject } from './wire/raw-json.js'
export { MalformedJsonError, rawElements, requireDistinctKeys } from './wire/json-text.js'
export {
  EMPTY_OBJECT,
  isJsonObject,
  joinMembers,
  RawJson,
  rawMembers,
  withMembers,
  withMeta,
} from './wire/raw-json.js'
export type { SseEvent } from './wire/sse.js'
export { SSE_KEEP_ALIVE, sseMessage, SseReader } from './wire/sse.js'
export type { MessageText } from './wire/message-text.js'
export { byteLengthOf, wholeText } from './wire/message-text.js'
