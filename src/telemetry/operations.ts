/**
 * What was asked of the gateway and what came of it: one record for each request of a client's, once it is answered.
 * Metrics, the access log, traces and the page are made from these records and from nothing else.
 */
import type { Era } from '../../backends/index.js'

/** `failed`: a JSON-RPC error, or the error of a tool (`isError`), told apart by `errorType`. */
export type Outcome = 'ok' | 'failed' | 'denied' | 'limited' | 'cancelled'

export interface Operation {
  /** When the request had been read; milliseconds since the epoch. */
  readonly at: number
  readonly durationMs: number
  /** Of that, the time in which servers had the call; the rest is the gateway's own share. */
  readonly upstreamMs: number
  readonly method: string
  /** Of a tool or prompt its exposed name, of a resource its URI; '' for what names nothing. */
  readonly name: string
  /** Whether something of that name is, or was, in the catalog: other names are made up by clients. */
  readonly isKnownName: boolean
  /** Whose it is; '' for what concerns no server, or more than one. */
  readonly target: string
  /** Which of the target's servers was asked, where it has several; else ''. */
  readonly variant: string
  readonly outcome: Outcome
  /** `tool_error`, or the code of a JSON-RPC error; '' where nothing went wrong. */
  readonly errorType: string
  readonly era: Era
  readonly protocolVersion: string
  /** A hash of the session's id; '' without one. */
  readonly session: string
  readonly principal: { readonly id: string; readonly kind: string; readonly name: string }
  /** As it calls itself. */
  readonly client: { readonly name: string; readonly version: string }
  readonly address: string
  /** Of the request and of its answer, as JSON text. */
  readonly bytesIn: number
  readonly bytesOut: number
  /** Hex, as W3C trace context has them; '' where the request is not traced. */
  readonly traceId: string
  readonly spanId: string
  /** Those that are a word, a number or a truth, cut to size. */
  readonly attributes: Readonly<Record<string, string | number | boolean>>
}

/** The gateway's own share. Servers that are asked at the same time have more of the whole together than there is. */
export function gatewayMsOf({ durationMs, upstreamMs }: Operation): number {
  return Math.max(0, durationMs - upstreamMs)
}

type Listener = (operation: Operation) => void

/** Of those that went well, so many are kept of each while; nobody reads more. */
const MAX_KEPT_OF_WHILE = 100
const WHILE_MS = 100

/**
 * Passes records on to whoever listens, and keeps the newest for whoever comes later. A busy gateway keeps some: what is
 * kept grows old before it goes, and collecting it cost a tenth of what the gateway can do (`npm run bench -- --telemetry`).
 */
export class Operations {
  readonly #listeners = new Set<Listener>()
  readonly #ring: (Operation | undefined)[]
  #count = 0
  #while = 0
  #keptOfWhile = 0

  constructor(kept = 1_000) {
    this.#ring = Array.from({ length: kept })
  }

  record(operation: Operation): void {
    // A copy: where many of one place in the code live on, V8 makes all of that place in old space, and collecting those is dear.
    if (this.#isKept(operation)) this.#ring[this.#count++ % this.#ring.length] = { ...operation }
    for (const listener of this.#listeners) listener(operation)
  }

  /** Calls `listener` with each record to come. Returns the way to stop. */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  #isKept({ at, outcome }: Operation): boolean {
    const now = Math.floor(at / WHILE_MS)
    if (now !== this.#while) {
      this.#while = now
      this.#keptOfWhile = 0
    }
    return this.#keptOfWhile++ < MAX_KEPT_OF_WHILE || outcome !== 'ok'
  }

  /** The newest, oldest first. */
  recent(): readonly Operation[] {
    const { length } = this.#ring
    const from = Math.max(0, this.#count - length)
    return Array.from({ length: this.#count - from }, (_, index) => {
      return this.#ring[(from + index) % length] as Operation
    })
  }
}
