/**
 * How many retries a server can take: a share of its requests, so that a server in trouble is not asked many times what
 * it could not bear once, and a few besides, so that quiet servers get some too.
 */

/** Retries at hand whatever the traffic; they come back one a second. */
const RESERVE = 10
const REFILL_MS = 1_000
/** What traffic earns is kept up to here: an hour of calm pays for no storm. */
const MOST_EARNED = 100

export class RetryBudget {
  readonly #share: number
  readonly #now: () => number
  #earned = 0
  #taken = 0
  #reserve = RESERVE
  #refilledAt: number

  /** `share` of retries to requests, from 0 to 1; `now` in milliseconds. */
  constructor(share: number, now: () => number = () => performance.now()) {
    this.#share = share
    this.#now = now
    this.#refilledAt = now()
  }

  /** Retries so far. */
  get taken(): number {
    return this.#taken
  }

  /** A request is made. */
  earn(): void {
    if (this.#earned < MOST_EARNED) this.#earned += this.#share
  }

  /** Takes one retry. Returns false where there is none to take. */
  take(): boolean {
    const now = this.#now()
    this.#reserve = Math.min(RESERVE, this.#reserve + (now - this.#refilledAt) / REFILL_MS)
    this.#refilledAt = now
    if (this.#earned >= 1) this.#earned--
    else if (this.#reserve >= 1) this.#reserve--
    else return false
    this.#taken++
    return true
  }
}
