/**
 * Records that wait to be told together. The code and tables of those who are told are then in the caches of the CPU for
 * all but the first; told of one by one, as calls end, each finds others' there. Whatever waits must hold on to nothing
 * of its request: what lives for longer than a call is moved by the collector.
 */
const MAX_WAITING = 64
const WAIT_MS = 20

export class Batch<T> {
  readonly #tell: (records: readonly T[]) => void
  #waiting: T[] = []
  #isTimed = false

  constructor(tell: (records: readonly T[]) => void) {
    this.#tell = tell
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

  flush(): void {
    if (this.#waiting.length === 0) return
    const waiting = this.#waiting
    this.#waiting = []
    this.#tell(waiting)
  }
}
