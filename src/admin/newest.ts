/** The newest of what comes, up to so many, and whoever wants to hear of each. */
export class Newest<T> {
  readonly #max: number
  readonly #items: T[] = []
  readonly #listeners = new Set<(item: T) => void>()

  constructor(max: number) {
    this.#max = max
  }

  add(item: T): void {
    this.#items.push(item)
    if (this.#items.length > this.#max) this.#items.shift()
    for (const listener of this.#listeners) listener(item)
  }

  /** The newest first. */
  get all(): readonly T[] {
    return this.#items.toReversed()
  }

  /** Calls `listener` with each to come. Returns the way to stop. */
  subscribe(listener: (item: T) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}
