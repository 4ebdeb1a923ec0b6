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
  /** When the server wants to be asked again, where it says so. */
  readonly retryAfterMs: number | undefined

  constructor(target: TargetName, message: string, status?: number, retryAfterMs?: number) {
    super(target, message)
    this.status = status
    this.retryAfterMs = retryAfterMs
  }
}

/** The server was not shown credentials that it believes, or there are none to show. The request did not run. */
export class BackendCredentialsError extends BackendError {
  readonly code = 'ERR_BACKEND_CREDENTIALS'
}

/** What a server means by HTTP 401. What it wants instead is between it and us. */
export function credentialsRefused(target: TargetName): BackendCredentialsError {
  const message = 'it does not accept the credentials that it is shown (HTTP 401)'
  return new BackendCredentialsError(target, message)
}

/** The server no longer knows our session, or nobody uses it any more. The request was refused at the door: it did not run. */
export class UpstreamSessionLostError extends BackendError {
  readonly code = 'ERR_UPSTREAM_SESSION_LOST'
}

/** The server has failed too often and is left alone for a while. Nothing was sent. */
export class CircuitOpenError extends BackendError {
  readonly code = 'ERR_CIRCUIT_OPEN'
  readonly retryAfterMs: number

  constructor(target: TargetName, message: string, retryAfterMs: number) {
    super(target, message)
    this.retryAfterMs = retryAfterMs
  }
}

/** More calls wait for the server than may. Nothing was sent. */
export class BackendOverloadedError extends BackendError {
  readonly code = 'ERR_BACKEND_OVERLOADED'
}

/** A `stateful` server has lost a caller's session, and what it kept there: the caller has to begin anew. Nothing ran. */
export class StatefulSessionLostError extends BackendError {
  readonly code = 'ERR_STATEFUL_SESSION_LOST'
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
  | CircuitOpenError
  | BackendOverloadedError
  | StatefulSessionLostError
  | CallCancelledError

export function isBackendError(error: unknown): error is AnyBackendError {
  return error instanceof BackendError
}

/**
 * An error of a later request of the same call. What came before has run, so that it must not be taken for one of a call
 * that did not.
 */
export function afterRunning<T>(error: T): T | BackendUnreachableError | BackendProtocolError {
  if (error instanceof BackendUnreachableError && !error.sent) {
    return new BackendUnreachableError(error.target, error.message, true, error)
  }
  if (!(error instanceof UpstreamSessionLostError)) return error
  return new BackendProtocolError(error.target, error.message)
}

/** Why a session takes no request any more that others are to have from now on: theirs is as good. */
export function leftForAnother(target: TargetName): UpstreamSessionLostError {
  return new UpstreamSessionLostError(target, 'the session was left for another')
}

/** Why a session had ended before a request was sent in it. */
export function beforeSending(reason: Error): Error {
  const wasSent = reason instanceof BackendUnreachableError && reason.sent
  return wasSent
    ? new BackendUnreachableError(reason.target, reason.message, false, reason)
    : reason
}

/** Why an operation failed, in a few words for a status line: the innermost cause says it best. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
