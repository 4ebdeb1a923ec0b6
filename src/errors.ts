/** The one table from what went wrong to what a client may read of it. A new error without an answer does not compile. */
import type { AnyBackendError, JsonObject, MalformedJsonError } from '../backends/index.js'
import { ErrorCode, JsonRpcError, RawJson } from '../backends/index.js'
import type {
  AmbiguousItemError,
  InvalidParamsError,
  ListUnavailableError,
  UnknownItemError,
  UnknownMethodError,
} from '../federation/index.js'
import type { SessionTooLargeError } from './session/session-store.js'

/** Two requests of one id cannot both be answered (2025-11-25 basic: ids are never reused in a session). */
export class DuplicateRequestError extends Error {
  readonly code = 'ERR_DUPLICATE_REQUEST'

  constructor() {
    super('a request of this id is running already')
  }
}

type KnownError =
  | AnyBackendError
  | UnknownItemError
  | AmbiguousItemError
  | InvalidParamsError
  | UnknownMethodError
  | ListUnavailableError
  | MalformedJsonError
  | DuplicateRequestError
  | SessionTooLargeError

type Answers = {
  readonly [Code in KnownError['code']]: (
    error: Extract<KnownError, { code: Code }>,
  ) => JsonRpcError
}

const ANSWERS: Answers = {
  ERR_BACKEND_UNREACHABLE: (error) => ofTarget(error, 'cannot be reached', 'unreachable'),
  ERR_BACKEND_TIMEOUT: (error) => ofTarget(error, 'timed out', 'timeout'),
  ERR_BACKEND_PROTOCOL: (error) =>
    ofTarget(error, 'gave no valid answer', 'protocol', error.retryAfterMs),
  ERR_BACKEND_CREDENTIALS: (error) => ofTarget(error, 'cannot be called', 'credentials'),
  ERR_UPSTREAM_SESSION_LOST: (error) => ofTarget(error, 'lost our session', 'session-lost'),
  ERR_CIRCUIT_OPEN: (error) =>
    ofTarget(error, 'is not called for now', 'circuit-open', error.retryAfterMs),
  ERR_BACKEND_OVERLOADED: (error) => ofTarget(error, 'has too much to do', 'overloaded'),
  ERR_STATEFUL_SESSION_LOST: (error) =>
    ofTarget(error, 'lost what it kept for this session; begin a new one', 'session-lost'),
  ERR_CALL_CANCELLED: (error) => ofTarget(error, 'was told to stop', 'cancelled'),
  ERR_UNKNOWN_ITEM: (error) =>
    error.kind === 'resource'
      ? new JsonRpcError(
          ErrorCode.ResourceNotFound,
          error.message,
          RawJson.fromValue({ uri: error.item }),
        )
      : new JsonRpcError(ErrorCode.InvalidParams, error.message),
  ERR_AMBIGUOUS_ITEM: (error) =>
    new JsonRpcError(
      ErrorCode.InvalidParams,
      error.message,
      RawJson.fromValue({ candidates: [...error.candidates] }),
    ),
  ERR_INVALID_PARAMS: (error) => new JsonRpcError(ErrorCode.InvalidParams, error.message),
  ERR_MALFORMED_JSON: (error) => new JsonRpcError(ErrorCode.InvalidParams, error.message),
  ERR_UNKNOWN_METHOD: (error) => new JsonRpcError(ErrorCode.MethodNotFound, error.message),
  ERR_LIST_UNAVAILABLE: (error) =>
    new JsonRpcError(
      ErrorCode.InternalError,
      error.message,
      RawJson.fromValue({ unavailable: error.unavailable.map((it) => ({ ...it })) }),
    ),
  ERR_SESSION_TOO_LARGE: (error) => new JsonRpcError(ErrorCode.InvalidParams, error.message),
  ERR_DUPLICATE_REQUEST: (error) => new JsonRpcError(ErrorCode.InvalidRequest, error.message),
}

/**
 * What a client is told. A server's own error goes on as it came; of what nobody foresaw the client learns only that
 * it is our fault, and `onInternalError` all of it.
 */
export function toJsonRpcError(
  error: unknown,
  onInternalError: (error: unknown) => void = () => undefined,
): JsonRpcError {
  if (error instanceof JsonRpcError) return error
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (typeof code === 'string' && Object.hasOwn(ANSWERS, code)) {
    // `code` names the class, so the answer found is the one for it; the table's type has lost that link.
    const answer = ANSWERS[code as KnownError['code']] as (error: unknown) => JsonRpcError
    return answer(error)
  }
  onInternalError(error)
  return new JsonRpcError(ErrorCode.InternalError, 'internal error in the gateway')
}

function ofTarget(
  error: AnyBackendError,
  what: string,
  reason: string,
  retryAfterMs?: number,
): JsonRpcError {
  const data: JsonObject = {
    target: error.target,
    reason,
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  }
  return new JsonRpcError(
    ErrorCode.InternalError,
    `The MCP server "${error.target}" ${what}: ${error.message}`,
    RawJson.fromValue(data),
  )
}
