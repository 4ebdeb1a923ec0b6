/** Looks again at how rules and tools fit together, some time after either has changed. */
import type { Reach } from './reach.js'

/** Backends that connect one after another are looked at together. */
const SETTLE_MS = 500

export interface ReachWatchOptions {
  /** Resolves to nothing while not all is there that there will be. */
  readonly look: () => Promise<Reach | undefined>
  readonly onReach: (reach: Reach) => void
}

export class ReachWatch {
  readonly #options: ReachWatchOptions
  #timer: NodeJS.Timeout | undefined
  #isLooking = false
  #isStale = false
  #isClosed = false

  constructor(options: ReachWatchOptions) {
    this.#options = options
  }

  /** Rules, or what tools there are, may be others than before. */
  changed(): void {
    if (this.#isClosed) return
    if (this.#isLooking) this.#isStale = true
    else this.#timer ??= setTimeout(() => void this.#look(), SETTLE_MS).unref()
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#timer)
  }

  async #look(): Promise<void> {
    this.#timer = undefined
    this.#isLooking = true
    this.#isStale = false
    const reach = await this.#options.look().finally(() => (this.#isLooking = false))
    if (this.#isStale) this.changed()
    else if (reach !== undefined && !this.#isClosed) this.#options.onReach(reach)
  }
}
