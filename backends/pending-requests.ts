/** The requests of one upstream session that wait for their answers, each with an id of this hop and a deadline. */
import { randomInt } from 'node:crypto'
import type { Call } from './call.js'
import { Deadline } from './deadline.js'
import { BackendTimeoutError, CallCancelledError } from './errors.js'
import type { TargetName } from './target.js'
import type { Sent } from './transport.js'
import { SETTLED } from './transport.js'
import type { RawObject } from './wire/raw-json.js'

/** A caller's call, or a request of the gateway's own. */
export type RequestOptions = Pick<Call, 'method' | 'params'> & Partial<Call>

export interface Pending {
  /** Also the token of the request's progress: both are ours and unique on this session. */
  readonly id: number
  readonly call: RequestOptions
  readonly deadline: Deadline
  lastProgress: number
  sent: Sent
  readonly resolve: (result: RawObject) => void
  readonly reject: (error: Error) => void
  readonly onCancel: () => void
}

/** More requests of one session are never under way at once. */
const SLOTS = 100_000

/** So far that ids stay exact as numbers. */
const MAX_BEGINNING = 2 ** 36

function slotOf(id: number): number {
  return id % SLOTS
}

export class PendingRequests {
  readonly target: TargetName
  readonly #onAbandoned: (pending: Pending, reason: Error) => void
  /** By slot; a Map's tables would hold on to what is long over (see `Members`). */
  readonly #pending: (Pending | undefined)[] = []
  readonly #freeSlots: number[] = []
  #requests = 0
  #onIdle: (() => void) | undefined

  /** `onAbandoned` hears of requests that nobody waits for any more, so that the server can be told. */
  constructor(target: TargetName, onAbandoned: (pending: Pending, reason: Error) => void) {
    this.target = target
    this.#onAbandoned = onAbandoned
  }

  /** Other processes send requests in the same session; ids begin where theirs do not. */
  shareSession(): void {
    this.#requests = randomInt(MAX_BEGINNING)
  }

  /**
   * Sends a request through `send`. `timeoutMs` 0 waits for ever; each
   * progress notification starts the time anew.
   * @throws what `fail` is told; BackendTimeoutError, CallCancelledError
   */
  open(
    call: RequestOptions,
    timeoutMs: number,
    send: (pending: Pending) => Sent,
  ): Promise<RawObject> {
    return new Promise((resolve, reject) => {
      if (call.cancellation?.isCancelled === true) return reject(this.#cancelled())
      const pending: Pending = {
        id: this.#newId(),
        call,
        deadline: new Deadline(timeoutMs, (ms) => this.#abandon(pending, this.#late(ms))),
        lastProgress: -Infinity,
        sent: SETTLED,
        resolve,
        reject,
        onCancel: () => this.#abandon(pending, this.#cancelled()),
      }
      this.#pending[slotOf(pending.id)] = pending
      call.cancellation?.add(pending.onCancel)
      pending.sent = send(pending)
    })
  }

  /** Resolves once nothing waits for its answer any more. */
  async idle(): Promise<void> {
    if (this.#pending.length === this.#freeSlots.length) return
    await new Promise<void>((resolve) => (this.#onIdle = resolve))
  }

  get(id: unknown): Pending | undefined {
    const pending = typeof id === 'number' ? this.#pending[slotOf(id)] : undefined
    return pending?.id === id ? pending : undefined
  }

  values(): readonly Pending[] {
    return this.#pending.filter((it) => it !== undefined)
  }

  succeed(pending: Pending, result: RawObject): void {
    if (this.#settle(pending)) pending.resolve(result)
  }

  fail(pending: Pending, error: Error): void {
    if (this.#settle(pending)) pending.reject(error)
  }

  failAll(error: Error): void {
    for (const pending of this.values()) this.fail(pending, error)
  }

  /** A channel shared by all calls does not say whose message it carries; with one call it needs not. */
  onlyCall(): Pending | undefined {
    let only: Pending | undefined
    for (const pending of this.#pending) {
      // Requests of the gateway's own are nobody's.
      if (pending?.call.caller === undefined) continue
      if (only !== undefined) return undefined
      only = pending
    }
    return only
  }

  /** Never given out again on this session: the count of requests, and the slot in its last digits. */
  #newId(): number {
    const slot = this.#freeSlots.pop() ?? this.#pending.length
    return ++this.#requests * SLOTS + slot
  }

  #abandon(pending: Pending, reason: Error): void {
    if (!this.#settle(pending)) return
    this.#onAbandoned(pending, reason)
    pending.reject(reason)
  }

  /** Returns false where it was settled before. */
  #settle(pending: Pending): boolean {
    const slot = slotOf(pending.id)
    if (this.#pending[slot] !== pending) return false
    this.#pending[slot] = undefined
    this.#freeSlots.push(slot)
    pending.deadline.clear()
    pending.call.cancellation?.delete(pending.onCancel)
    if (this.#onIdle !== undefined && this.#pending.length === this.#freeSlots.length)
      this.#onIdle()
    return true
  }

  #cancelled(): CallCancelledError {
    return new CallCancelledError(this.target, 'the caller cancelled the request')
  }

  #late(timeoutMs: number): BackendTimeoutError {
    const message = `the server did not answer within ${timeoutMs} ms`
    return new BackendTimeoutError(this.target, message)
  }
}
