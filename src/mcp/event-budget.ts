/**
 * What all streams of the process keep together for clients that may come back. Each keeps little, but a client can open
 * many, and leave them: beyond the sum those that began to keep the earliest forget.
 */
import { largestHeap } from '../http/pressure.js'

/** Of the largest heap; characters take one byte each, or two. */
const SHARE = 1 / 16

export interface KeepsEvents {
  /** Keeps nothing of what it has kept. */
  forgetAll(): void
}

export class EventBudget {
  readonly #maxChars: number
  readonly #keeping = new Set<KeepsEvents>()
  #chars = 0

  constructor(maxChars = Math.floor(largestHeap() * SHARE)) {
    this.#maxChars = maxChars
  }

  /** A stream keeps so much more, or, below zero, less. */
  count(stream: KeepsEvents, chars: number): void {
    this.#chars += chars
    if (chars < 0) return
    this.#keeping.add(stream)
    if (this.#chars <= this.#maxChars) return
    for (const oldest of this.#keeping) {
      oldest.forgetAll()
      if (this.#chars <= this.#maxChars) return
    }
  }

  /** A stream keeps nothing any more. */
  left(stream: KeepsEvents): void {
    this.#keeping.delete(stream)
  }
}
