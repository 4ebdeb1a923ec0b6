/**
 * What was asked of the gateway and what came of it: one record for each request of a client's, once it is answered.
 * Metrics, the access log, traces and the page are made from these records and from nothing else.
 */
import type { ShownAttributes } from '../attributes/attributes.js'
import type { Listener } from './batch.js'
import { Batch } from './batch.js'
import type { OperationKind } from './operation-kind.js'
import type { UpstreamOperation } from './upstream-operation.js'

export interface Operation {
  readonly kind: OperationKind
  /** When the request had been read; milliseconds since the epoch. */
  readonly at: number
  readonly durationMs: number
  /** Of that, the time in which servers had the call; the rest is the gateway's own share. */
  readonly upstreamMs: number
  /** The first server's part, where one had it. Those of others are told on their own. */
  readonly upstream: UpstreamOperation | undefined
  /** A hash of the session's id; '' without one. */
  readonly session: string
  /** Of the request and of its answer, as JSON text. */
  readonly bytesIn: number
  readonly bytesOut: number
  /** Hex, as W3C trace context has them; '' where the request is not traced. */
  readonly traceId: string
  readonly spanId: string
  readonly attributes: ShownAttributes
}

/** The gateway's own share. Servers that are asked at the same time have more of the whole together than there is. */
export function gatewayMsOf({ durationMs, upstreamMs }: Operation): number {
  return Math.max(0, durationMs - upstreamMs)
}

/** Of those that went well, so many are kept of each while; nobody reads more. */
const MAX_KEPT_OF_WHILE = 100
const WHILE_MS = 100

/**
 * Passes records on to whoever listens, and keeps the newest for whoever comes later. A busy gateway keeps some: what is
 * kept grows old before it goes, and collecting it cost a tenth of what the gateway can do (`npm run bench -- --telemetry`).
 */
export class Operations {
  readonly #records: Batch<Operation>
  readonly #upstream: Batch<UpstreamOperation>
  readonly #ring: (Operation | undefined)[]
  #count = 0
  #while = 0
  #keptOfWhile = 0

  /** `onError` is told of what listeners throw; nobody else could be. */
  constructor(onError: (error: unknown) => void, kept = 1_000) {
    this.#ring = Array.from({ length: kept })
    this.#records = new Batch(onError)
    this.#upstream = new Batch(onError)
    this.#records.subscribe((records) => {
      for (const record of records) this.#keep(record)
    })
  }

  /** Takes one, which listeners hear of soon. */
  record(operation: Operation): void {
    this.#records.add(operation)
  }

  /** Takes what a server was asked beside the first of an operation, or by the gateway itself. */
  recordUpstream(operation: UpstreamOperation): void {
    this.#upstream.add(operation)
  }

  /** Calls `listener` with records to come. Returns the way to stop. */
  subscribe(listener: Listener<Operation>): () => void {
    return this.#records.subscribe(listener)
  }

  /** The same of what servers were asked. */
  subscribeUpstream(listener: Listener<UpstreamOperation>): () => void {
    return this.#upstream.subscribe(listener)
  }

  /** Tells listeners now of what waits, for whoever looks at what comes of it. */
  readonly flush = (): void => {
    this.#upstream.flush()
    this.#records.flush()
  }

  /** The newest, oldest first. */
  recent(): readonly Operation[] {
    this.flush()
    const { length } = this.#ring
    const from = Math.max(0, this.#count - length)
    return Array.from({ length: this.#count - from }, (_, index) => {
      return this.#ring[(from + index) % length] as Operation
    })
  }

  #keep(operation: Operation): void {
    const now = Math.floor(operation.at / WHILE_MS)
    if (now !== this.#while) {
      this.#while = now
      this.#keptOfWhile = 0
    }
    if (this.#keptOfWhile++ >= MAX_KEPT_OF_WHILE && operation.kind.outcome === 'ok') return
    // A copy: where many of one place in the code live on, V8 makes all of that place in old space, and collecting those is dear.
    this.#ring[this.#count++ % this.#ring.length] = { ...operation }
  }
}
