/** What the primary and its workers tell each other. */
import type { IncomingHttpHeaders } from 'node:http'
import type { TalliedReport } from '../admin/traffic.js'
import type { LogLevel } from '../telemetry/log-levels.js'

export interface AdminRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  readonly remoteAddress: string
}

/** What a worker needs to begin; the rest it reads from the configuration itself. */
export interface Orders {
  readonly worker: number
  readonly path: string
  readonly host: string
  /** The port that the primary listens at. */
  readonly port: number
  /** Those of `sessions.keys`, or the one that the primary made, in hex. */
  readonly keys: readonly string[]
  /** Whether others than the workers can have them. */
  readonly areShared: boolean
  readonly logLevel: LogLevel
}

export type ToWorker =
  | { readonly kind: 'start'; readonly orders: Orders }
  /** With the connection. It is answered with `taken`. */
  | { readonly kind: 'connection' }
  /** The configuration on disk has changed, and is good. */
  | { readonly kind: 'reload' }
  /** The configuration on disk has changed, and cannot be used. */
  | { readonly kind: 'refused' }
  /** It is answered with the same, by a worker that does not hang. */
  | { readonly kind: 'beat' }
  | { readonly kind: 'stop' }
  /** After `stop`: the last connection has been given. */
  | { readonly kind: 'ended' }
  | { readonly kind: 'ask'; readonly id: number; readonly request: AdminRequest }
  /** What a report is made of, at that time; answered as `ask`. Whoever wants it has been let in by then. */
  | {
      readonly kind: 'tally'
      readonly id: number
      readonly report: TalliedReport
      readonly now: number
    }
  | { readonly kind: 'abort'; readonly id: number }

export type Reply =
  | {
      readonly kind: 'head'
      readonly id: number
      readonly status: number
      readonly headers: IncomingHttpHeaders
    }
  | { readonly kind: 'chunk'; readonly id: number; readonly data: Uint8Array }
  | { readonly kind: 'end'; readonly id: number; readonly isBroken: boolean }

export type FromWorker =
  | { readonly kind: 'ready' }
  /** It cannot begin. */
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'taken' }
  | { readonly kind: 'beat' }
  | Reply
