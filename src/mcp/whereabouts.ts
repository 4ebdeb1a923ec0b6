/**
 * Which processes serve a session beside its home, the one that opened it. Each says so there, soon after it is first asked
 * for something in the session and again while it is. What holds for the whole session, a cancellation, a log level, its
 * end, is told by way of its home to all of them; what came before a process had said so, it reads in the answer.
 */
import { text } from 'node:stream/consumers'
import { LRUCache } from 'lru-cache'
import type { LogLevel, RequestId } from '../../backends/index.js'
import type { VirtualServer } from '../../federation/index.js'
import { NOBODY } from '../auth/principal.js'
import { NOWHERE } from '../http/origin.js'
import type { PeerRequest, Peers } from '../peers/peers.js'
import type { Session } from '../session/session.js'
import type { SessionStore } from '../session/session-store.js'

/** By this, and not by a method of the protocol's, one process tells another which of its sessions it serves. */
export const SERVES = 'LINK'
/** Room for so many ids of sessions, each as long as it may be. */
export const MAX_WORD_BYTES = 1024 * 1024
const MAX_NAMED = 100
/** How often it is looked whether there is something to say. */
const LOOK_MS = 500
const AGAIN_MS = 60_000
/** Whoever has not said so again for so long serves it no more, or is gone. */
const FORGOTTEN_MS = 3 * AGAIN_MS
const ANSWERED_MS = 10_000
/** Processes that serve one session. */
const MAX_PLACES = 64
/** Cancellations are remembered until whoever runs the call has surely said so. */
const MISSED_MS = 10_000
const MAX_MISSED = 16
const MAX_SESSIONS_MISSED = 1_000
const MAX_ID_CHARS = 256

/** What a process says at the home of sessions. */
interface Word {
  readonly place: string
  readonly sessions: readonly Named[]
}

interface Named {
  readonly token: string
  readonly server: string
  readonly principal: string
}

/** What it has missed of one of them; `null` where that has ended. */
interface Missed {
  readonly logLevel: LogLevel | undefined
  readonly cancelled: readonly RequestId[]
}

interface Served {
  readonly server: VirtualServer
  /** By the monotonic clock; without an end before it was. */
  saidAt: number
}

export interface WhereaboutsOptions {
  readonly peers: Pick<Peers, 'ask' | 'place'>
  readonly sessions: SessionStore
  /** Tells another process something that nobody waits for. */
  readonly tell: (place: string, request: PeerRequest) => void
}

export class Whereabouts {
  readonly #options: WhereaboutsOptions
  /** Sessions that are served here and have their home elsewhere. */
  readonly #served = new Map<Session, Served>()
  #look: NodeJS.Timeout | undefined
  /** Of sessions that have their home here: where else they are served, and when that was last said. */
  readonly #places = new WeakMap<Session, Map<string, number>>()
  /** Requests that were cancelled of late, by the session. */
  readonly #cancelled = new LRUCache<string, RequestId[]>({
    max: MAX_SESSIONS_MISSED,
    ttl: MISSED_MS,
  })

  constructor(options: WhereaboutsOptions) {
    this.#options = options
  }

  /** A request is served here, of a session that has its home elsewhere. */
  serve(session: Session, server: VirtualServer): void {
    if (this.#served.has(session)) return
    this.#served.set(session, { server, saidAt: Number.NEGATIVE_INFINITY })
    this.#look ??= setInterval(() => this.#sayWhatIsDue(), LOOK_MS).unref()
  }

  /**
   * Tells all others that serve the session what holds for all of it: those that serve it from its home, and its home from
   * anywhere else. What another process told is told on at home alone, to all but that one.
   */
  tell(session: Session, request: PeerRequest, toldBy?: string): void {
    const { home } = session.seed
    const { peers, tell } = this.#options
    const told = { ...request, toldBy: peers.place }
    if (home === peers.place) {
      for (const place of this.#placesOf(session)) if (place !== toldBy) tell(place, told)
    } else if (home !== undefined && toldBy === undefined) tell(home, told)
  }

  /** A request is cancelled, whose process may not have said yet that it serves the session. */
  cancelled({ seed }: Session, id: unknown): void {
    const isShort = typeof id === 'number' || (typeof id === 'string' && id.length <= MAX_ID_CHARS)
    if (!isShort || seed.home !== this.#options.peers.place) return
    const before = this.#cancelled.get(seed.uid) ?? []
    this.#cancelled.set(seed.uid, [...before.slice(1 - MAX_MISSED), id])
  }

  /** Another process says which sessions it serves. Returns what it has missed of each. */
  hear(body: Buffer): string {
    // Nobody without the key can have written it.
    const { place, sessions } = JSON.parse(body.toString()) as Word
    return JSON.stringify(sessions.map((named) => this.#servedAt(place, named)))
  }

  /** Says nothing more. */
  close(): void {
    clearInterval(this.#look)
    this.#look = undefined
    this.#served.clear()
  }

  #sayWhatIsDue(): void {
    const now = performance.now()
    const due = new Map<string, Session[]>()
    for (const [session, served] of this.#served) {
      const sinceSaid = now - served.saidAt
      const isDue = sinceSaid >= AGAIN_MS
      if (session.isClosed || (isDue && session.idleMs >= sinceSaid)) this.#served.delete(session)
      else if (isDue) {
        served.saidAt = now
        const { home = '' } = session.seed
        const sameHome = due.get(home)
        if (sameHome === undefined) due.set(home, [session])
        else sameHome.push(session)
      }
    }
    for (const [home, sessions] of due) {
      for (let from = 0; from < sessions.length; from += MAX_NAMED) {
        void this.#say(home, sessions.slice(from, from + MAX_NAMED))
      }
    }
    if (this.#served.size === 0) this.close()
  }

  /** Never rejects. */
  async #say(home: string, sessions: readonly Session[]): Promise<void> {
    const { peers } = this.#options
    const word: Word = {
      place: peers.place,
      sessions: sessions.map(({ token = '', seed: { server, principal } }) => ({
        token,
        server,
        principal,
      })),
    }
    const request: PeerRequest = {
      method: SERVES,
      name: '',
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(JSON.stringify(word)),
      principal: NOBODY,
      origin: NOWHERE,
      // A home that is about to end still hears of what is cancelled.
      isOwed: true,
    }
    try {
      const answer = await peers.ask(home, request, AbortSignal.timeout(ANSWERED_MS))
      const body = await text(answer)
      if (answer.statusCode !== 200) return
      const missed = JSON.parse(body) as (Missed | null)[]
      for (const [index, session] of sessions.entries()) this.#catchUp(session, missed[index])
    } catch {
      // It cannot be reached, so nothing can be told from there either. It is asked again when this is due again.
    }
  }

  #catchUp(session: Session, missed: Missed | null | undefined): void {
    if (missed === undefined) return
    if (missed === null) return this.#options.sessions.end(session.token ?? '', session)
    const { logLevel, cancelled } = missed
    for (const id of cancelled) session.cancel(id)
    const { caller, chosen } = session
    if (logLevel === undefined || caller.logLevel !== undefined) return
    caller.logLevel = logLevel
    void this.#served.get(session)?.server.with(chosen.choice).setLogLevel(caller)
  }

  #servedAt(place: string, { token, server, principal }: Named): Missed | null {
    const session = this.#options.sessions.find(token, server, principal)
    if (session === undefined) return null
    const places = this.#places.get(session) ?? new Map<string, number>()
    // The newest last.
    places.delete(place)
    places.set(place, performance.now())
    for (const oldest of places.keys()) {
      if (places.size <= MAX_PLACES) break
      places.delete(oldest)
    }
    this.#places.set(session, places)
    const cancelled = this.#cancelled.get(session.seed.uid) ?? []
    return { logLevel: session.caller.logLevel, cancelled }
  }

  #placesOf(session: Session): string[] {
    const places = this.#places.get(session) ?? new Map<string, number>()
    const since = performance.now() - FORGOTTEN_MS
    for (const [place, saidAt] of places) if (saidAt < since) places.delete(place)
    return [...places.keys()]
  }
}
