/**
 * Records that wait to be told together. The code and tables of those who are told are then in the caches of the CPU for
 * all but the first; told of one by one, as calls end, each finds others' there. Whatever waits must hold on to nothing
 * of its request: what lives for longer than a call is moved by the collector.
 */
const MAX_WAITING = 64
const WAIT_MS = 20

/** Takes records in the order in which they came. */
export type Listener<T> = (records: readonly T[]) => void

export class Batch<T> {
  readonly #listeners = new Set<Listener<T>>()
  readonly #onError: (error: unknown) => void
  #waiting: T[] = []
  #isTimed = false

  /** `onError` is told of what listeners throw; nobody else could be. */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError
  }

  /** Calls `listener` with records to come. Returns the way to stop. */
  subscribe(listener: Listener<T>): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  add(record: T): void {
    if (this.#waiting.push(record) >= MAX_WAITING) return this.flush()
    if (this.#isTimed) return
    this.#isTimed = true
    setTimeout(() => {
      this.#isTimed = false
      this.flush()
    }, WAIT_MS).unref()
  }

  /** Tells now what waits. */
  flush(): void {
    if (this.#waiting.length === 0) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const listener of this.#listeners) {
      try {
        listener(waiting)
      } catch (error) {
        this.#onError(error)
      }
    }
  }
}
