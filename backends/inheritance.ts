/**
 * What callers followed through a backend that was replaced, on its way to the one that came in its place: a changed target
 * is connected anew, and its callers must hear of changes all the same, without asking for anything first.
 */
import { BackOff } from './back-off.js'
import type { Caller } from './call.js'
import { JsonRpcError } from './wire/json-rpc.js'

/** A resource that a caller follows; `onUpdated` hears of it, or of parts of it. */
export interface Followed {
  readonly caller: Caller
  readonly uri: string
  readonly onUpdated: (uri: string) => void
}

export interface InheritanceOptions {
  /** Resolves once the server is there. Rejects where it is away. */
  readonly connected: () => Promise<unknown>
  /** @throws JsonRpcError where the server will not have it, anything else where it is worth another try */
  readonly follow: (followed: Followed) => Promise<unknown>
  /** Never rejects. */
  readonly unfollow: (followed: Followed) => Promise<void>
  /** Aborted when nothing is followed any more. */
  readonly closing: AbortSignal
}

/** Each may have to open a session first, and a server has other callers too. */
const AT_ONCE = 8

export class Inheritance {
  readonly #options: InheritanceOptions
  readonly #left = new Set<Followed>()
  #isWorking = false

  constructor(options: InheritanceOptions) {
    this.#options = options
  }

  /** What has not been followed here yet. */
  get left(): readonly Followed[] {
    return [...this.#left]
  }

  /** Follows them as soon as the server is there. */
  take(followed: Iterable<Followed>): void {
    for (const it of followed) this.#left.add(it)
    if (!this.#isWorking) void this.#work()
  }

  /** The caller, or one resource of it, is not to be followed any more. Returns whether there was any. */
  forget(callerKey: string, uri?: string): boolean {
    let isKnown = false
    for (const it of this.#left) {
      if (it.caller.key !== callerKey || (uri !== undefined && it.uri !== uri)) continue
      isKnown = this.#left.delete(it)
    }
    return isKnown
  }

  async #work(): Promise<void> {
    const { closing, connected } = this.#options
    const patience = new BackOff()
    this.#isWorking = true
    while (this.#left.size > 0 && !closing.aborted) {
      try {
        await connected()
        const waiting = this.#left.values()
        await Promise.all(Array.from({ length: AT_ONCE }, () => this.#followEach(waiting)))
      } catch {
        // The server is away, or went away meanwhile; its state says so.
      }
      if (this.#left.size > 0) await patience.wait(closing)
    }
    this.#isWorking = false
  }

  /** @throws where it is worth another try */
  async #followEach(waiting: Iterator<Followed>): Promise<void> {
    for (let next = waiting.next(); next.done !== true; next = waiting.next()) {
      const { value } = next
      try {
        await this.#options.follow(value)
      } catch (error) {
        // What the new server does not have is followed no more.
        if (!(error instanceof JsonRpcError)) throw error
        this.#left.delete(value)
        continue
      }
      // Meanwhile nobody may want it any more.
      if (!this.#left.delete(value)) await this.#options.unfollow(value)
    }
  }
}
