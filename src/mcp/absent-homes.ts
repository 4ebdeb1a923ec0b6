/**
 * Streams that were opened here because the process at the home of their session could not be reached. It may only have
 * stood still: what is followed there is said there, so they go home once it can be reached again.
 */
import { NOBODY } from '../auth/principal.js'
import { NOWHERE } from '../http/origin.js'
import type { PeerRequest, Peers } from '../peers/peers.js'

/** How often a process is looked for that somebody waits for. */
const LOOK_MS = 5_000
/** Any answer will do. */
const NOTHING: PeerRequest = {
  method: 'OPTIONS',
  name: '',
  headers: {},
  body: undefined,
  principal: NOBODY,
  origin: NOWHERE,
}

export class AbsentHomes {
  readonly #peers: Pick<Peers, 'ask'>
  /** By place, who hears of it when the process there is back. */
  readonly #awaited = new Map<string, Set<() => void>>()
  #look: NodeJS.Timeout | undefined

  constructor(peers: Pick<Peers, 'ask'>) {
    this.#peers = peers
  }

  /** Returns what ends the waiting. */
  wait(place: string, onBack: () => void): () => void {
    const waiting = this.#awaited.get(place) ?? new Set()
    this.#awaited.set(place, waiting.add(onBack))
    this.#look ??= setInterval(() => this.#lookForAll(), LOOK_MS).unref()
    return () => {
      waiting.delete(onBack)
      if (waiting.size === 0 && this.#awaited.get(place) === waiting) this.#awaited.delete(place)
      if (this.#awaited.size === 0) this.close()
    }
  }

  /** Looks for nobody any more. */
  close(): void {
    clearInterval(this.#look)
    this.#look = undefined
  }

  #lookForAll(): void {
    for (const [place, waiting] of this.#awaited) {
      this.#peers.ask(place, NOTHING, AbortSignal.timeout(LOOK_MS)).then(
        (answer) => {
          answer.resume()
          for (const onBack of waiting) onBack()
        },
        // It is still away.
        () => undefined,
      )
    }
  }
}
