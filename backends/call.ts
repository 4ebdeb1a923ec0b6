/**
 * One request in neutral form. It goes down from the downstream edge through federation to a backend, knowing
 * neither eras nor transports: everything that belongs to a hop (ids, progress tokens, session ids, protocol
 * versions) was taken off at the one edge and is put on anew at the other (mcp-protocol.md §0).
 */
import type { Cancellation } from './cancellation.js'
import type { RawObject } from './wire/raw-json.js'

/** Whom a call is made for: what an upstream session may depend on, and no more. */
export interface Caller {
  /** One upstream session for each key and backend. */
  readonly key: string
  /** Upstream sessions and processes are never shared between principals. */
  readonly principal: string
}

/** The one principal there is as long as nobody is asked who they are; also the gateway's own. */
export const ANONYMOUS = 'anonymous'

/** Something a backend says about a call while it runs. Hop-scoped members are gone from `params`. */
export interface CallNotification {
  readonly method: 'notifications/progress'
  readonly params: RawObject
}

export interface Call {
  readonly method: string
  readonly params: RawObject
  readonly caller: Caller
  /** Cancelled when the caller withdraws the request. */
  readonly cancellation: Cancellation
  /** Whether the caller wants to hear of progress. */
  readonly wantsProgress: boolean
  /** The way back while the call runs; not called after it has settled. */
  readonly notify: (notification: CallNotification) => void
}
