/** How long one request may take: started anew by progress, and longer while its own caller is being asked. */
import type { RequestId } from './wire/json-rpc.js'

/** How long a caller may take to answer what a server asks of it: people think, and go for coffee. */
const CALLER_MS = 600_000
const NOTHING: ReadonlySet<RequestId> = new Set()

export class Deadline {
  readonly #timeoutMs: number
  readonly #onPassed: (timeoutMs: number) => void
  /** Ids of the server's requests that the caller has not answered. */
  #asked: Set<RequestId> | undefined
  #timer: NodeJS.Timeout | undefined
  #currentMs = 0

  /** `timeoutMs` 0 waits for ever. Begins at once. */
  constructor(timeoutMs: number, onPassed: (timeoutMs: number) => void) {
    this.#timeoutMs = timeoutMs
    this.#onPassed = onPassed
    this.restart()
  }

  restart(): void {
    if (this.#timeoutMs === 0) return
    const isWaiting = this.unanswered.size > 0
    const timeoutMs = isWaiting ? Math.max(this.#timeoutMs, CALLER_MS) : this.#timeoutMs
    if (this.#timer !== undefined && this.#currentMs === timeoutMs) {
      this.#timer.refresh()
      return
    }
    clearTimeout(this.#timer)
    this.#currentMs = timeoutMs
    this.#timer = setTimeout(() => this.#onPassed(timeoutMs), timeoutMs)
  }

  /** What the caller has been asked for and has not answered. */
  get unanswered(): ReadonlySet<RequestId> {
    return this.#asked ?? NOTHING
  }

  /** The server has asked the caller for something. */
  asked(id: RequestId): void {
    this.#asked = (this.#asked ?? new Set()).add(id)
    this.restart()
  }

  /** That has been answered, or is no longer wanted. Returns false where it was not asked here. */
  answered(id: RequestId): boolean {
    if (this.#asked?.delete(id) !== true) return false
    this.restart()
    return true
  }

  clear(): void {
    clearTimeout(this.#timer)
  }
}
