/**
 * The way between processes that have the same session keys: what only one of them can serve is given to that one, as the
 * HTTP request that it is, and its answer comes back as it comes. Which one it is says what the client carries (the id of
 * its session, of an event, of a question), sealed, so nobody has to know who there is.
 *
 * TLS with a pre-shared key (RFC 4279, RFC 8442) made of the session key: whoever has it is one of us, nobody else reads
 * or says anything, and there are no certificates.
 */
import { createHash } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage, Server, ServerResponse } from 'node:http'
import { Agent, createServer } from 'node:https'
import { setTimeout as sleep } from 'node:timers/promises'
import { LRUCache } from 'lru-cache'
import type { Principal } from '../auth/principal.js'
import { urlHost } from '../http/admin-listener.js'
import { carried } from '../http/carried.js'
import type { Entrance } from '../http/entrance.js'
import { letGo, ownPort } from '../http/entrance.js'
import type { Origin } from '../http/origin.js'
import { derivedKey, Sealer } from '../session/sealing.js'
import type { Sent } from './sending.js'
import { PeerUnreachableError, send } from './sending.js'

/** A request as it came to the process that gives it away, and whose it is: that has been found out by then. */
export interface PeerRequest {
  readonly method: string
  /** Of the virtual server. */
  readonly name: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer | undefined
  readonly principal: Principal
  readonly origin: Origin
  /** Something that runs there waits for it, also while that process is about to end. */
  readonly isOwed?: boolean
  /** It is served where it was told as well, at this place, and counted where it came. */
  readonly toldBy?: string | undefined
  /** The key of the HTTP+SSE stream that it was posted for. */
  readonly postedFor?: string | undefined
}

export type PeerVisit = Pick<PeerRequest, 'name' | 'principal' | 'origin' | 'toldBy' | 'postedFor'>

/** What is said of a request beside what the client said. */
type Said = Omit<PeerVisit, 'name'> & Pick<PeerRequest, 'isOwed'>

/** What became of something that was given away. */
export const PEER_OUTCOMES = ['answered', 'unreachable'] as const
export type PeerOutcome = (typeof PEER_OUTCOMES)[number]

type Serve = (request: IncomingMessage, response: ServerResponse, visit: PeerVisit) => void

const TLS = {
  ciphers: 'ECDHE-PSK-CHACHA20-POLY1305',
  // In 1.3 Node offers no pre-shared keys of one's own.
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.2',
} as const
/** Says whose a request is; nobody but peers is asked for it, and what a client sends under this name is not passed on. */
const VISIT_HEADER = 'junction-visit'
/** A principal with all its claims, and what the client sent. */
const MAX_HEADER_BYTES = 96 * 1024
/** One that could not be reached is not tried again for so long. */
const GIVEN_UP_MS = 5_000
const MAX_GIVEN_UP = 1_000
const MAX_IDLE_SOCKETS = 16
/** Whoever sends, and not whoever is sent to, closes a connection that is idle: nothing meets one that has just been closed. */
const IDLE_MS = 15_000
const KEEP_ALIVE_TIMEOUT_MS = 2 * IDLE_MS
/** Whoever has a key has it at hand. */
const HANDSHAKE_MS = 2_000
/** How often it is looked whether all has been answered. */
const LOOK_MS = 50

interface SharedKey {
  readonly identity: string
  readonly psk: Buffer
}

export class Peers {
  /** Where the others reach this process. */
  readonly place: string
  /** The same, sealed, for what is not sealed otherwise. */
  readonly sealedPlace: string
  readonly #sealer: Sealer
  readonly #server: Server
  readonly #entrance: Entrance
  readonly #agent: Agent
  /** Each of its connections is a new one. */
  readonly #freshAgent: Agent
  readonly #givenUp = new LRUCache<string, true>({ max: MAX_GIVEN_UP, ttl: GIVEN_UP_MS })
  #serve: Serve | undefined
  #isLeaving = false
  /** What is being answered. */
  #given = 0

  private constructor(
    server: Server,
    entrance: Entrance,
    host: string,
    sealer: Sealer,
    [first]: readonly SharedKey[],
  ) {
    this.#server = server
    this.#entrance = entrance
    this.place = `${urlHost(host)}:${entrance.port}`
    this.#sealer = sealer
    this.sealedPlace = sealer.sealAlike(this.place)
    const ours = {
      ...TLS,
      pskCallback: () => first ?? null,
      // Whoever has the key is a peer, by whatever name; without this the one is asked for that the client wrote.
      servername: '',
      checkServerIdentity: () => undefined,
    }
    const maxFreeSockets = MAX_IDLE_SOCKETS
    this.#agent = new Agent({ ...ours, keepAlive: true, maxFreeSockets, timeout: IDLE_MS })
    this.#freshAgent = new Agent(ours)
    server.on('request', (request, response) => this.#visited(request, response))
    // Whoever has no key has no business here, and nobody needs to be told.
    server.on('tlsClientError', () => undefined)
  }

  /** @throws the error of `listen`, such as EADDRINUSE */
  static async open(host: string, port: number, keys: readonly Buffer[]): Promise<Peers> {
    const shared = keys.map(sharedKey)
    const server = createServer({
      ...TLS,
      maxHeaderSize: MAX_HEADER_BYTES,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      handshakeTimeout: HANDSHAKE_MS,
      pskCallback: (_, identity) => shared.find((it) => it.identity === identity)?.psk ?? null,
    })
    const entrance = await ownPort(server, host, port)
    return new Peers(server, entrance, host, new Sealer(keys, 'place'), shared)
  }

  /** The place that another process has sealed; `undefined` for what none has. */
  openPlace(sealed: string): string | undefined {
    return this.#sealer.open(sealed)
  }

  /** Serves what others give from now on. */
  serve(serve: Serve): void {
    this.#serve = serve
  }

  /** Takes only what is waited for here: whatever else is given now is served where it came. */
  drain(): void {
    this.#isLeaving = true
  }

  /**
   * Gives a request to the process at `place`; resolves with the head of its answer.
   * @throws PeerUnreachableError, or what `signal` says
   */
  async ask(place: string, request: PeerRequest, signal: AbortSignal): Promise<IncomingMessage> {
    if (this.#givenUp.has(place)) throw new PeerUnreachableError()
    const { method, name, headers, body, ...said } = request
    const answer = await this.#send(place, {
      method,
      path: `/${encodeURIComponent(name)}`,
      signal,
      headers: {
        ...carried(headers),
        [VISIT_HEADER]: Buffer.from(JSON.stringify(said satisfies Said)).toString('base64url'),
        ...(body === undefined ? {} : { 'content-length': String(body.length) }),
      },
      body,
    })
    if (answer.headers[VISIT_HEADER] === undefined) return answer
    answer.resume()
    throw new PeerUnreachableError()
  }

  /** Takes nothing more once what was given has been answered; resolves then, or cuts it after `deadlineMs`. */
  async close(deadlineMs: number): Promise<void> {
    this.drain()
    const until = performance.now() + deadlineMs
    while (this.#given > 0 && performance.now() < until) await sleep(LOOK_MS)
    this.#serve = undefined
    await this.#entrance.shut()
    await letGo(this.#server, this.#entrance.left(), Math.max(0, until - performance.now()))
  }

  /** Gives nothing more to anybody. */
  hangUp(): void {
    this.#agent.destroy()
    this.#freshAgent.destroy()
  }

  async #send(place: string, sent: Sent): Promise<IncomingMessage> {
    const sendOver = (agent: Agent): Promise<IncomingMessage> =>
      send(place, sent, agent).catch((error: unknown) => {
        if (error instanceof PeerUnreachableError && error.fate.isGone) {
          this.#givenUp.set(place, true)
        }
        throw error
      })
    try {
      return await sendOver(this.#agent)
    } catch (error) {
      if (!(error instanceof PeerUnreachableError && error.fate.isStale)) throw error
      return sendOver(this.#freshAgent)
    }
  }

  #visited(request: IncomingMessage, response: ServerResponse): void {
    const said = request.headers[VISIT_HEADER]
    // Nobody without the key can have written it.
    const visit =
      typeof said === 'string'
        ? (JSON.parse(Buffer.from(said, 'base64url').toString()) as Said)
        : undefined
    if (
      this.#serve === undefined ||
      visit === undefined ||
      (this.#isLeaving && visit.isOwed !== true)
    ) {
      // By this the other tells it from an answer.
      response.writeHead(503, { [VISIT_HEADER]: 'leaving', connection: 'close' }).end()
      return
    }
    delete request.headers[VISIT_HEADER]
    // That it was taken, before anything is done about it.
    response.writeProcessing()
    this.#given++
    response.once('close', () => void this.#given--)
    const name = decodeURIComponent((request.url ?? '/').slice(1))
    this.#serve(request, response, { ...visit, name })
  }
}

function sharedKey(key: Buffer): SharedKey {
  const psk = derivedKey(key, 'peers')
  return { identity: createHash('sha256').update(psk).digest('hex').slice(0, 16), psk }
}
