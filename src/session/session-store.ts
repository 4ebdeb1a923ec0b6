/**
 * Sessions by their sealed ids. The id is the truth and this is a cache of what it says: a session that fell out, or
 * was opened in a process that is gone, comes back with the next request. What must not come back, because the
 * client ended it, is remembered.
 */
import { LRUCache } from 'lru-cache'
import { randomUUID } from 'node:crypto'
import { Sealer } from './sealing.js'
import type { SessionSeed } from './session.js'
import { Session } from './session.js'
import type { SessionSettings } from './settings.js'

/** Ids travel in a header, and many servers and proxies take 8 KiB of headers in all. */
const MAX_SEED_CHARS = 4_096
/** So much of an id's end, where its seal is, is as good as all of it to find it by: all of it is hashed anew by each request. */
const KEY_CHARS = 32
const SWEEPS_PER_IDLE_TIME = 10
const SHORTEST_SWEEP_MS = 100

export class SessionTooLargeError extends Error {
  readonly code = 'ERR_SESSION_TOO_LARGE'
}

export interface SessionEvents {
  /** It leaves memory, so that its upstream side can be closed; of one that is ended no other process will hear again. */
  onReleased(session: Session, isEnded: boolean): void
  /** Something of no request is said in it, and it has no stream in this process. */
  onUnheard?(session: Session, text: string): void
}

export class SessionStore {
  readonly #settings: SessionSettings
  readonly #sealer: Sealer
  readonly #place: string | undefined
  readonly #events: SessionEvents
  /** By the ends of their ids. */
  readonly #sessions: LRUCache<string, Session>
  readonly #ended: LRUCache<string, true>
  readonly #sweep: NodeJS.Timeout
  #renamed: Session | undefined

  /** `place`: where other processes reach this one. */
  constructor(
    settings: SessionSettings,
    keys: readonly Buffer[],
    place: string | undefined,
    events: SessionEvents,
  ) {
    this.#settings = settings
    this.#sealer = new Sealer(keys, 'session id')
    this.#place = place
    this.#events = events
    this.#sessions = new LRUCache({
      max: settings.max,
      dispose: (session, _key, reason) => {
        if (reason === 'set' || session === this.#renamed) return
        session.close()
        this.#events.onReleased(session, this.#isEnded(session.seed))
      },
    })
    this.#ended = new LRUCache({ max: settings.max, ttl: settings.maxAgeMs })
    // One timer for all sessions; one each would be the largest part of an idle session's cost.
    const intervalMs = Math.max(
      SHORTEST_SWEEP_MS,
      Math.min(settings.idleTimeoutMs, settings.maxAgeMs) / SWEEPS_PER_IDLE_TIME,
    )
    this.#sweep = setInterval(() => this.#dropIdle(), intervalMs).unref()
  }

  get size(): number {
    return this.#sessions.size
  }

  /**
   * Opens a session.
   * @throws SessionTooLargeError where the client declares more than an id can hold
   */
  create(seed: Omit<SessionSeed, 'uid' | 'createdAt' | 'home'>): {
    session: Session
    token: string
  } {
    const whole: SessionSeed = {
      ...seed,
      uid: randomUUID(),
      createdAt: Date.now(),
      ...(this.#place === undefined ? {} : { home: this.#place }),
    }
    const text = JSON.stringify(whole)
    if (text.length > MAX_SEED_CHARS) {
      throw new SessionTooLargeError(
        `clientInfo and capabilities are too large: ${text.length} of ${MAX_SEED_CHARS} characters`,
      )
    }
    const token = this.#sealer.seal(text)
    return { session: this.#keep(token, whole), token }
  }

  /**
   * The id of a session that has just been created, with its places in it; the former is given to nobody. Places that it
   * cannot hold are forgotten.
   */
  rename(token: string, session: Session): string {
    const { places } = session.caller
    const textOf = (): string => JSON.stringify({ ...session.seed, places: [...places] })
    for (const name of places.keys()) {
      if (textOf().length > MAX_SEED_CHARS) places.delete(name)
    }
    const renamed = this.#sealer.seal(textOf())
    this.#renamed = session
    this.#sessions.delete(keyOf(token))
    this.#renamed = undefined
    this.#sessions.set(keyOf(renamed), session)
    session.token = renamed
    return renamed
  }

  /**
   * The session of an id, or `undefined` where the id is unknown, changed, expired or ended, or belongs to another
   * principal or another virtual server: the client is told the same of all of these.
   */
  find(token: string, server: string, principal: string): Session | undefined {
    const known = this.#sessions.get(keyOf(token))
    const session = known?.token === token ? known : this.#reopen(token)
    if (session === undefined) return undefined
    const { seed } = session
    if (this.#isOld(seed) || seed.server !== server || seed.principal !== principal)
      return undefined
    session.touch()
    return session
  }

  /** The client ends its session: the id is not accepted again. */
  end(token: string, session: Session): void {
    this.#ended.set(session.seed.uid, true)
    this.#sessions.delete(keyOf(token))
  }

  *[Symbol.iterator](): Iterator<Session> {
    yield* this.#sessions.values()
  }

  /** Lets go of all sessions; their ids stay good for another process. */
  close(): void {
    clearInterval(this.#sweep)
    this.#sessions.clear()
  }

  #reopen(token: string): Session | undefined {
    const text = this.#sealer.open(token)
    if (text === undefined) return undefined
    // Authenticated by the seal: it is what `create` wrote.
    const seed = JSON.parse(text) as SessionSeed
    if (this.#ended.has(seed.uid)) return undefined
    return this.#keep(token, seed)
  }

  #keep(token: string, seed: SessionSeed): Session {
    const session = new Session(seed, (...said) => this.#events.onUnheard?.(...said))
    session.token = token
    this.#sessions.set(keyOf(token), session)
    return session
  }

  #isOld({ createdAt }: SessionSeed): boolean {
    return Date.now() - createdAt > this.#settings.maxAgeMs
  }

  #isEnded(seed: SessionSeed): boolean {
    return this.#ended.has(seed.uid) || this.#isOld(seed)
  }

  #dropIdle(): void {
    const now = Date.now()
    const { idleTimeoutMs, maxAgeMs } = this.#settings
    for (const [key, session] of this.#sessions.entries()) {
      const isOld = now - session.seed.createdAt > maxAgeMs
      if (isOld || session.idleMs > idleTimeoutMs) this.#sessions.delete(key)
    }
  }
}

function keyOf(token: string): string {
  return token.slice(-KEY_CHARS)
}
