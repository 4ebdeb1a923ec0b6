/** Who counts the limits: this process for itself, or the store for all gateways that share it. */
import { isDeepStrictEqual } from 'node:util'
import type { Entry, Use } from './limiter.js'
import { Limiter } from './limiter.js'
import { SharedLimiter } from './redis/shared-limiter.js'
import type { Failure, StoreState } from './redis/store.js'
import { RedisStore } from './redis/store.js'
import type { LimitSettings } from './settings.js'
import type { RedisSettings, StoreSettings } from './store-settings.js'

export interface AdmissionSettings {
  readonly limits: readonly LimitSettings[]
  readonly store?: StoreSettings | undefined
}

export interface AdmissionEvents {
  /** The store can be used, or an attempt at it has failed. */
  onStore(settings: RedisSettings, state: StoreState): void
  /** A call was let in or limited without the store. */
  onUncounted(failure: Failure): void
}

interface Sharing {
  readonly settings: RedisSettings
  readonly store: RedisStore
  readonly limiter: SharedLimiter
}

export class Admission {
  readonly #events: AdmissionEvents
  readonly #own: Limiter
  readonly #closing = new Set<Promise<void>>()
  #sharing: Sharing | undefined
  #isStarted = false

  constructor({ limits, store }: AdmissionSettings, events: AdmissionEvents) {
    this.#events = events
    this.#own = new Limiter(limits)
    this.#share(limits, store?.redis)
  }

  /** Whether anything is limited at all. */
  get isActive(): boolean {
    return this.#own.isActive
  }

  /** Whether the store can be used; `undefined` where there is none. */
  get isStoreUp(): boolean | undefined {
    return this.#sharing?.store.isUp
  }

  /** Connects to the store; nobody waits for it but calls, and they not for long. */
  start(): void {
    this.#isStarted = true
    this.#sharing?.store.start()
  }

  /** Takes what all limits together have to give, or nothing of any. */
  enter(use: Use): Entry | Promise<Entry> {
    return this.#sharing === undefined ? this.#own.enter(use) : this.#sharing.limiter.enter(use)
  }

  update({ limits, store }: AdmissionSettings): void {
    this.#own.update(limits)
    this.#sharing?.limiter.update(limits)
    if (!isDeepStrictEqual(store?.redis, this.#sharing?.settings)) this.#share(limits, store?.redis)
  }

  async close(): Promise<void> {
    this.#share([], undefined)
    await Promise.all(this.#closing)
  }

  #share(limits: readonly LimitSettings[], settings: RedisSettings | undefined): void {
    const before = this.#sharing
    this.#sharing = settings && this.#sharingOf(limits, settings, before?.limiter)
    if (this.#isStarted) this.#sharing?.store.start()
    if (before !== undefined) this.#retire(before, this.#sharing)
  }

  /** Counts where these settings say. A limiter that there was goes on with what runs. */
  #sharingOf(
    limits: readonly LimitSettings[],
    settings: RedisSettings,
    before: SharedLimiter | undefined,
  ): Sharing {
    const { whenDown } = settings
    const store = new RedisStore(settings, (state) => {
      this.#events.onStore(settings, state)
      if (state.isUp) limiter.resume()
    })
    const limiter =
      before ?? new SharedLimiter(limits, store, whenDown, (it) => this.#events.onUncounted(it))
    before?.moveTo(store, whenDown)
    return { settings, store, limiter }
  }

  #retire({ store, limiter }: Sharing, after: Sharing | undefined): void {
    const given = after === undefined ? limiter.close() : Promise.resolve()
    const closing = given.then(() => store.close()).finally(() => this.#closing.delete(closing))
    this.#closing.add(closing)
  }
}
