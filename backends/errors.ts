/** What goes wrong between us and one upstream server; one class per case a caller treats differently. */
import type { TargetName } from './target.js'

abstract class BackendError extends Error {
  abstract readonly code: string
  readonly target: TargetName

  constructor(target: TargetName, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = new.target.name
    this.target = target
  }
}

/** No connection, or one that broke before the answer. `sent` says whether the server may have seen the request. */
export class BackendUnreachableError extends BackendError {
  readonly code = 'ERR_BACKEND_UNREACHABLE'
  readonly sent: boolean

  constructor(target: TargetName, message: string, sent: boolean, cause?: unknown) {
    super(target, message, cause)
    this.sent = sent
  }
}

export class BackendTimeoutError extends BackendError {
  readonly code = 'ERR_BACKEND_TIMEOUT'
}

/** The server answered, but not with what the protocol allows. */
export class BackendProtocolError extends BackendError {
  readonly code = 'ERR_BACKEND_PROTOCOL'
  /** The HTTP status, where that was what the protocol does not allow. */
  readonly status: number | undefined

  constructor(target: TargetName, message: string, status?: number) {
    super(target, message)
    this.status = status
  }
}

/** The server was not shown credentials that it believes, or there are none to show. The request did not run. */
export class BackendCredentialsError extends BackendError {
  readonly code = 'ERR_BACKEND_CREDENTIALS'
}

/** The server no longer knows our session. It refused the request at the door, so the request did not run. */
export class UpstreamSessionLostError extends BackendError {
  readonly code = 'ERR_UPSTREAM_SESSION_LOST'
}

/** The caller withdrew the request; there is nobody left to answer. */
export class CallCancelledError extends BackendError {
  readonly code = 'ERR_CALL_CANCELLED'
}

export type AnyBackendError =
  | BackendUnreachableError
  | BackendTimeoutError
  | BackendProtocolError
  | BackendCredentialsError
  | UpstreamSessionLostError
  | CallCancelledError

export function isBackendError(error: unknown): error is AnyBackendError {
  return error instanceof BackendError
}

/** Why an operation failed, in a few words for a status line: the innermost cause says it best. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
