/** Waiting longer after each failure, with jitter so that many clients of one server do not come back as one. */
import { setTimeout as sleep } from 'node:timers/promises'

const FIRST_MS = 200
const LONGEST_MS = 15_000
const FACTOR = 2

export class BackOff {
  readonly #longestMs: number
  #failures = 0

  constructor(longestMs = LONGEST_MS) {
    this.#longestMs = longestMs
  }

  /** Failures since the last `reset`. */
  get failures(): number {
    return this.#failures
  }

  /** Forgets the failures: the next wait is none. */
  reset(): void {
    this.#failures = 0
  }

  /** Waits: not at all after the first failure, then ever longer. Returns at once when aborted. */
  async wait(signal: AbortSignal): Promise<void> {
    const failures = this.#failures++
    if (failures === 0) return
    const ceilingMs = Math.min(this.#longestMs, FIRST_MS * FACTOR ** (failures - 1))
    try {
      await sleep(ceilingMs * (0.5 + Math.random() / 2), undefined, { signal, ref: false })
    } catch {
      // Aborted: whoever waits asks the signal.
    }
  }
}
