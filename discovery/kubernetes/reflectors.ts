/** The reflectors of one kind of object, as many as are wanted now. */
import type { Reflector, Subject } from './reflector.js'

export class Reflectors<T> {
  readonly #make: (subject: Subject) => Reflector<T>
  #running = new Map<string, Reflector<T>>()

  constructor(make: (subject: Subject) => Reflector<T>) {
    this.#make = make
  }

  /** Starts what is new, stops what nobody wants any more, and leaves the rest alone. */
  apply(wanted: readonly Subject[]): void {
    const before = this.#running
    this.#running = new Map()
    for (const subject of wanted) {
      const key = keyOf(subject)
      if (this.#running.has(key)) continue
      const known = before.get(key)
      const reflector = known ?? this.#make(subject)
      this.#running.set(key, reflector)
      if (known === undefined) reflector.start()
    }
    for (const [key, reflector] of before) if (!this.#running.has(key)) reflector.close()
  }

  /** What there is of a subject; `undefined` while nobody knows. */
  items(subject: Subject): ReadonlyMap<string, T> | undefined {
    return this.#running.get(keyOf(subject))?.items
  }

  get all(): readonly Reflector<T>[] {
    return [...this.#running.values()]
  }

  close(): void {
    this.apply([])
  }
}

function keyOf({ path, query }: Subject): string {
  return `${path}?${new URLSearchParams(query).toString()}`
}
