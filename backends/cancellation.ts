/**
 * Word that a call is no longer wanted. It says what an AbortSignal says; one of those for each call cost a third
 * of what the gateway can do, most of it in collecting their weak references (`npm run bench`, Node 20).
 */
export class Cancellation {
  /** Made with the second listener, as most calls have one. */
  #listeners: Set<() => void> | undefined
  #first: (() => void) | undefined
  #isCancelled = false

  get isCancelled(): boolean {
    return this.#isCancelled
  }

  /** Tells all listeners, once. */
  cancel(): void {
    if (this.#isCancelled) return
    this.#isCancelled = true
    const first = this.#first
    this.#first = undefined
    first?.()
    for (const listener of this.#listeners ?? []) listener()
    this.#listeners = undefined
  }

  /** Calls `listener` when cancelled, and not for what has been cancelled before. */
  add(listener: () => void): void {
    if (this.#first === undefined || this.#first === listener) this.#first = listener
    else (this.#listeners ??= new Set()).add(listener)
  }

  delete(listener: () => void): void {
    if (this.#first === listener) this.#first = undefined
    else this.#listeners?.delete(listener)
  }
}
