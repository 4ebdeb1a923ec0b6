/**
 * Word that a call is no longer wanted. It says what an AbortSignal says; one of those for each call cost a third
 * of what the gateway can do, most of it in collecting their weak references (`npm run bench`, Node 20).
 */
export class Cancellation {
  readonly #listeners = new Set<() => void>()
  #isCancelled = false

  get isCancelled(): boolean {
    return this.#isCancelled
  }

  /** Tells all listeners, once. */
  cancel(): void {
    if (this.#isCancelled) return
    this.#isCancelled = true
    for (const listener of this.#listeners) listener()
    this.#listeners.clear()
  }

  /** Calls `listener` when cancelled, and not for what has been cancelled before. */
  add(listener: () => void): void {
    this.#listeners.add(listener)
  }

  delete(listener: () => void): void {
    this.#listeners.delete(listener)
  }
}
