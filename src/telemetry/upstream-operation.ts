/** What was asked of a server and what came of it: the gateway's own requests, and each of a call's. */
import type { Asking, CallWatcher, RawObject, Target } from '../../backends/index.js'
import { isBackendError, JsonRpcError } from '../../backends/index.js'

export interface UpstreamOperation {
  readonly target: Target
  readonly protocolVersion: string
  readonly method: string
  /** As the server knows it; '' for what names nothing. */
  readonly name: string
  readonly durationMs: number
  /** `tool_error`, the code of a JSON-RPC error, or what kept the server from answering; '' where nothing did. */
  readonly errorType: string
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
export function ownRequests(onUpstream: (operation: UpstreamOperation) => void): CallWatcher {
  return {
    asks: (target, protocolVersion, { method }): Asking => {
      const startedAt = performance.now()
      const end = (errorType: string): void => {
        const durationMs = performance.now() - startedAt
        onUpstream({ target, protocolVersion, method, name: '', durationMs, errorType })
      }
      return {
        trace: undefined,
        answered: (_result: RawObject) => end(''),
        failed: (error) => end(upstreamErrorType(error)),
      }
    },
  }
}
