/**
 * What can be done about requests once nobody waits for it. That of all requests of one turn of the event loop is done together:
 * its code and tables are in the caches of the CPU for all but the first.
 */
export interface Remaining {
  /** Does it. */
  finish(): void
}

export class Afterwards {
  readonly #onError: (error: unknown) => void
  #waiting: Remaining[] = []

  /** `onError` is told of what fails; nobody else could be. */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError
  }

  add(remaining: Remaining): void {
    if (this.#waiting.push(remaining) === 1) setImmediate(this.finish)
  }

  /** Does now what waits, for whoever looks at what comes of it. */
  readonly finish = (): void => {
    if (this.#waiting.length === 0) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const it of waiting) {
      try {
        it.finish()
      } catch (error) {
        this.#onError(error)
      }
    }
  }
}
