/**
 * Leaves a server alone that fails again and again: calls fail at once, with the reason and a time, instead of waiting for
 * what will not come. When the time is over the gateway asks the server itself, so that nobody's call is the probe.
 */
import type { CircuitSettings } from './circuit-settings.js'
import type { AnyBackendError } from './errors.js'
import {
  BackendOverloadedError,
  BackendProtocolError,
  BackendTimeoutError,
  BackendUnreachableError,
  CircuitOpenError,
} from './errors.js'
import type { TargetName } from './target.js'
import { JsonRpcError } from './wire/json-rpc.js'

/** `since` and `until` are in milliseconds since the epoch. */
export type Circuit =
  | { readonly status: 'closed'; readonly since: number }
  | {
      readonly status: 'open' | 'half-open'
      readonly since: number
      /** When the server is asked whether it is back; it may show before. */
      readonly until: number
      /** The last failure. */
      readonly reason: string
      /** In a row. */
      readonly ejections: number
    }

export interface CircuitOptions {
  readonly target: TargetName
  readonly settings: CircuitSettings
  /** Asks the server whether it is there. Rejects where it is not. */
  readonly probe: () => Promise<void>
  readonly onChange: (circuit: Circuit) => void
  /** Gives up a call that waits for one of this party's, where that is fairer. Returns whether it did. */
  readonly makeRoom: (party: string) => boolean
  /** Why something failed, in words for everybody to read. */
  readonly reasonFor: (error: unknown) => string
}

/** Ejections grow up to this many times the first. */
const MAX_FACTOR = 10
/** Parts by which an ejection is longer or shorter, so that many gateways do not come back as one. */
const JITTER = 0.1
/** While the server is being asked. */
const SOON_MS = 1_000

export class CircuitBreaker {
  readonly #options: CircuitOptions
  readonly #mostAtOnce: number
  #circuit: Circuit = { status: 'closed', since: Date.now() }
  /** Since when it is closed, and until when it is open, by `performance.now()`. */
  #closedAt = performance.now()
  #openUntil = 0
  #isClosed = true
  #failures = 0
  #ejections = 0
  /** Of connections, so far. */
  #breaks = 0
  #timer: NodeJS.Timeout | undefined

  constructor(options: CircuitOptions) {
    this.#options = options
    const { maxConnections, maxPending } = options.settings
    this.#mostAtOnce = maxConnections + maxPending
  }

  get circuit(): Circuit {
    return this.#circuit
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  /** How many connections have broken: goes with a request, and back with its failure. */
  get breaks(): number {
    return this.#breaks
  }

  /**
   * Lets a call of this party's in while so many are running.
   * @throws CircuitOpenError, BackendOverloadedError
   */
  admit(running: number, party: string): void {
    if (!this.#isClosed) throw this.#refusal()
    if (running < this.#mostAtOnce || this.#options.makeRoom(party)) return
    const message = `${running} calls are running or waiting; call again later`
    throw new BackendOverloadedError(this.#options.target, message)
  }

  /** The server has answered. */
  succeeded(): void {
    this.#failures = 0
  }

  /** A request has failed that was made after so many breaks. */
  failed(error: unknown, breaks: number): void {
    if (error instanceof JsonRpcError) return this.succeeded()
    if (!isFailure(error)) return
    if (error instanceof BackendUnreachableError && error.sent) {
      // One connection, or process, that breaks takes all down that was under way.
      if (breaks !== this.#breaks) return
      this.#breaks++
    }
    const { consecutiveFailures } = this.#options.settings
    this.#failures++
    if (consecutiveFailures === 0 || this.#failures < consecutiveFailures || !this.#isClosed) return
    this.#open(error)
    if (error instanceof BackendUnreachableError && this.#ejections === 1) this.#lookAtOnce()
  }

  /** The server was connected to anew: whatever was wrong, it is another one now. */
  recovered(): void {
    this.#failures = 0
    if (!this.#isClosed) this.#close()
  }

  /** Nothing is asked any more. */
  close(): void {
    clearTimeout(this.#timer)
  }

  #open(error: unknown): void {
    const { settings, reasonFor } = this.#options
    const now = Date.now()
    if (this.#isClosed) {
      const calm = Math.floor((performance.now() - this.#closedAt) / settings.intervalMs)
      this.#ejections = Math.max(0, this.#ejections - calm)
    }
    this.#ejections++
    const factor = Math.min(this.#ejections, MAX_FACTOR)
    const jitter = 1 + JITTER * (2 * Math.random() - 1)
    const ejectionMs = Math.round(settings.ejectionMs * factor * jitter)
    this.#isClosed = false
    this.#openUntil = performance.now() + ejectionMs
    this.#change({
      status: 'open',
      since: this.#circuit.status === 'closed' ? now : this.#circuit.since,
      until: now + ejectionMs,
      reason: reasonFor(error),
      ejections: this.#ejections,
    })
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#probe(), ejectionMs).unref()
  }

  #close(): void {
    clearTimeout(this.#timer)
    this.#isClosed = true
    this.#closedAt = performance.now()
    this.#failures = 0
    this.#change({ status: 'closed', since: Date.now() })
  }

  async #probe(): Promise<void> {
    if (this.#circuit.status !== 'open') return
    const halfOpen = { ...this.#circuit, status: 'half-open' } as const
    this.#change(halfOpen)
    const outcome = await this.#options.probe().catch((error: unknown) => ({ error }))
    if (this.#circuit !== halfOpen) return
    if (outcome === undefined) this.#close()
    else this.#open(outcome.error)
  }

  /**
   * A server that was away for a moment may be back already, and nobody else looks. One that does so again and again
   * has to wait.
   */
  #lookAtOnce(): void {
    const opened = this.#circuit
    this.#options.probe().then(
      () => {
        if (this.#circuit === opened) this.#close()
      },
      // It is as it was; whoever keeps the connection tries on.
      () => undefined,
    )
  }

  #change(circuit: Circuit): void {
    this.#circuit = circuit
    this.#options.onChange(circuit)
  }

  #refusal(): CircuitOpenError {
    const { target } = this.#options
    const { reason } = this.#circuit as Exclude<Circuit, { status: 'closed' }>
    const retryAfterMs = Math.max(SOON_MS, Math.ceil(this.#openUntil - performance.now()))
    const seconds = Math.ceil(retryAfterMs / 1_000)
    const message = `it has failed too often (${reason}); try again in ${seconds} s`
    return new CircuitOpenError(target, message, retryAfterMs)
  }
}

function isFailure(error: unknown): error is AnyBackendError {
  if (error instanceof BackendProtocolError) return (error.status ?? 0) >= 500
  return error instanceof BackendUnreachableError || error instanceof BackendTimeoutError
}
