/** What was asked of a server and what came of it: the gateway's own requests, and each of a call's. */
import type { Asking, CallWatcher, RawObject } from '../../backends/index.js'
import { isBackendError, JsonRpcError } from '../../backends/index.js'
import type { OperationKinds, UpstreamKind } from './operation-kind.js'

export interface UpstreamOperation {
  readonly kind: UpstreamKind
  readonly durationMs: number
}

/** Longer names and URIs are nothing that anybody looks for. */
const MAX_NAME = 256

/** A part of a long string would keep all of it in memory. */
export function cut(text: string): string {
  return text.length <= MAX_NAME ? text : Buffer.from(text.slice(0, MAX_NAME)).toString()
}

/** What a failure is called in metrics and spans. */
export function upstreamErrorType(error: unknown): string {
  if (error instanceof JsonRpcError) return String(error.rpcCode)
  if (!isBackendError(error)) return '_OTHER'
  return error.code.replace(/^ERR_(BACKEND_|CALL_|UPSTREAM_)?/, '').toLowerCase()
}

/** Hears of what the gateway asks of servers for itself: lists. */
export function ownRequests(
  kinds: OperationKinds,
  onUpstream: (operation: UpstreamOperation) => void,
): CallWatcher {
  return {
    asks: (target, protocolVersion, { method }): Asking => {
      const startedAt = performance.now()
      const end = (errorType: string): void => {
        const durationMs = performance.now() - startedAt
        const what = { target, protocolVersion, method, name: '', errorType }
        onUpstream({ kind: kinds.upstreamOf(what), durationMs })
      }
      return {
        trace: undefined,
        answered: (_result: RawObject) => end(''),
        failed: (error) => end(upstreamErrorType(error)),
      }
    },
  }
}
