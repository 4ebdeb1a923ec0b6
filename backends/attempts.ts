/**
 * One request that has failed, and whether and when it is sent again. Made with the first failure, so that requests that
 * succeed cost nothing. A call that may have run is never sent again.
 */
import type { Call } from './call.js'
import {
  BackendProtocolError,
  BackendUnreachableError,
  CallCancelledError,
  UpstreamSessionLostError,
} from './errors.js'
import type { RetryBudget } from './retry-budget.js'
import type { Target } from './target.js'

/** Whatever else is asked changes nothing, or is asked by nobody but us. */
const CHANGES: ReadonlySet<string> = new Set(['tools/call', 'tasks/cancel', 'tasks/update'])
/** Nobody is kept waiting longer for another attempt, whatever the server says and without a deadline. */
const LONGEST_WAIT_MS = 60_000

export interface AttemptsOptions {
  readonly target: Target
  readonly budget: RetryBudget
  /** Aborted when nothing is sent any more. */
  readonly closing: AbortSignal
  /** Whether the server should be asked now at all. */
  readonly isWelcome: () => boolean
  /** For all attempts together; 0 for none. */
  readonly timeoutMs: number
  /** Of the first, by `performance.now()`. */
  readonly startedAt: number
}

export class Attempts {
  readonly #request: Pick<Call, 'method'> & Partial<Call>
  readonly #options: AttemptsOptions
  #retries = 0
  #hasNewSession = false

  constructor(request: Pick<Call, 'method'> & Partial<Call>, options: AttemptsOptions) {
    this.#request = request
    this.#options = options
  }

  /** What is left for the next attempt; 0 for as long as it takes. */
  get leftMs(): number {
    const { timeoutMs, startedAt } = this.#options
    if (timeoutMs === 0) return 0
    return Math.max(1, Math.ceil(timeoutMs - (performance.now() - startedAt)))
  }

  /**
   * Waits until the request may be sent again. `isUnsent` where it failed before it was: on the way to a session.
   * @throws `error` where it is not sent again; CallCancelledError
   */
  async orThrow(error: unknown, isUnsent: boolean): Promise<void> {
    const { target, closing } = this.#options
    if (error instanceof UpstreamSessionLostError) {
      // Refused at the door, so it did not run: once more in a new session, which cannot be stale again.
      if (this.#hasNewSession) throw error
      this.#hasNewSession = true
      return
    }
    const waitMs = this.#waitMs(error, isUnsent)
    if (waitMs === undefined) throw error
    await pause(waitMs, this.#request.cancellation)
    if (this.#request.cancellation?.isCancelled === true) {
      throw new CallCancelledError(target.name, 'the caller cancelled the request')
    }
    if (closing.aborted || !this.#options.isWelcome()) throw error
    this.#retries++
  }

  /** Before the next attempt; `undefined` where there shall be none. */
  #waitMs(error: unknown, isUnsent: boolean): number | undefined {
    const { target, budget, closing, isWelcome, timeoutMs } = this.#options
    const { attempts, on, backoffMs } = target.retries
    const kind = kindOf(error)
    const isHttp = target.endpoint.kind === 'http'
    if (!isHttp || kind === undefined || !on.includes(kind) || this.#retries >= attempts) {
      return undefined
    }
    if (!isUnsent && kind !== 'connect-failure' && !this.#mayBeRepeated()) return undefined
    const asked = error instanceof BackendProtocolError ? (error.retryAfterMs ?? 0) : 0
    const ownMs = backoffMs * 2 ** this.#retries * (0.5 + Math.random() / 2)
    const waitMs = Math.max(ownMs, asked)
    const isTooLong = waitMs > LONGEST_WAIT_MS || (timeoutMs > 0 && waitMs >= this.leftMs)
    if (isTooLong || closing.aborted || !isWelcome() || !budget.take()) return undefined
    return waitMs
  }

  #mayBeRepeated(): boolean {
    const { method, tool } = this.#request
    return !CHANGES.has(method) || (method === 'tools/call' && tool?.mayRepeat === true)
  }
}

/** As `retries.on` has it; `undefined` for what is never sent again. */
function kindOf(error: unknown): string | undefined {
  if (error instanceof BackendUnreachableError) return error.sent ? 'reset' : 'connect-failure'
  if (!(error instanceof BackendProtocolError) || error.status === undefined) return undefined
  return String(error.status)
}

/** Ends early when cancelled. */
function pause(waitMs: number, cancellation: Call['cancellation'] | undefined): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      clearTimeout(timer)
      cancellation?.delete(settle)
      resolve()
    }
    const timer = setTimeout(settle, waitMs)
    cancellation?.add(settle)
    if (cancellation?.isCancelled === true) settle()
  })
}
