/**
 * Finds workers that hang: alive, and doing nothing. Each is asked now and then, and one that leaves several questions in a
 * row without an answer is taken for lost. Generous, as a machine may be slow; and where this process itself stood
 * still, as in a container that was paused, nobody is to blame.
 */

const BEAT_MS = 5_000
/** Twenty seconds. */
const MOST_UNANSWERED = 4

export interface Beating {
  /** Asks. Returns how many questions before this one have no answer, in a row. */
  beat(): number
  /** As if all had been answered. */
  forgive(): void
}

export class Pulse<Worker extends Beating> {
  readonly #workers: () => Iterable<Worker>
  readonly #onHanging: (worker: Worker) => void
  readonly #now: () => number
  readonly #timer: NodeJS.Timeout
  #lastAt: number

  constructor(
    workers: () => Iterable<Worker>,
    onHanging: (worker: Worker) => void,
    now: () => number = () => performance.now(),
  ) {
    this.#workers = workers
    this.#onHanging = onHanging
    this.#now = now
    this.#lastAt = now()
    this.#timer = setInterval(() => this.#ask(), BEAT_MS).unref()
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #ask(): void {
    const now = this.#now()
    // Answers that came meanwhile have not been read yet.
    const stoodStill = now - this.#lastAt > 2 * BEAT_MS
    this.#lastAt = now
    for (const worker of this.#workers()) {
      if (stoodStill) worker.forgive()
      if (worker.beat() >= MOST_UNANSWERED) this.#onHanging(worker)
    }
  }
}
