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
import { Agent, createServer, request as httpsRequest } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { LRUCache } from 'lru-cache'
import type { Principal } from '../auth/principal.js'
import { urlHost } from '../http/admin-listener.js'
import { carried } from '../http/carried.js'
import type { Origin } from '../http/origin.js'
import { derivedKey, Sealer } from '../session/sealing.js'

/** A request as it came to the process that gives it away, and whose it is: that has been found out by then. */
export interface PeerRequest {
  readonly method: string
  /** Of the virtual server. */
  readonly name: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer | undefined
  readonly principal: Principal
  readonly origin: Origin
}

export interface PeerVisit {
  readonly name: string
  readonly principal: Principal
  readonly origin: Origin
}

/** What became of something that was given away. */
export const PEER_OUTCOMES = ['answered', 'unreachable'] as const
export type PeerOutcome = (typeof PEER_OUTCOMES)[number]

type Serve = (request: IncomingMessage, response: ServerResponse, visit: PeerVisit) => void

/** `wasSent`: whether the other may have seen the request. */
export class PeerUnreachableError extends Error {
  readonly code = 'ERR_PEER_UNREACHABLE'
  readonly wasSent: boolean

  constructor(wasSent: boolean, cause?: unknown) {
    super('the process that this belongs to cannot be reached', { cause })
    this.wasSent = wasSent
  }
}

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
/** Peers are near. Those that are gone for good often say nothing at all. */
const CONNECT_MS = 1_000
/** One that could not be reached is not tried again for so long. */
const GIVEN_UP_MS = 5_000
const MAX_GIVEN_UP = 1_000
const MAX_IDLE_SOCKETS = 16
const IDLE_SWEEP_MS = 50

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
  readonly #agent: Agent
  readonly #givenUp = new LRUCache<string, true>({ max: MAX_GIVEN_UP, ttl: GIVEN_UP_MS })
  #serve: Serve | undefined

  private constructor(server: Server, place: string, keys: readonly Buffer[]) {
    const [first] = keys.map(sharedKey)
    this.#server = server
    this.place = place
    this.#sealer = new Sealer(keys, 'place')
    this.sealedPlace = this.#sealer.sealAlike(place)
    this.#agent = new Agent({
      ...TLS,
      keepAlive: true,
      maxFreeSockets: MAX_IDLE_SOCKETS,
      pskCallback: () => first ?? null,
      // Whoever has the key is a peer, by whatever name.
      checkServerIdentity: () => undefined,
    })
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
      pskCallback: (_, identity) => shared.find((it) => it.identity === identity)?.psk ?? null,
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, host, resolve)
    })
    const { port: at } = server.address() as AddressInfo
    return new Peers(server, `${urlHost(host)}:${at}`, keys)
  }

  /** The place that another process has sealed; `undefined` for what none has. */
  openPlace(sealed: string): string | undefined {
    return this.#sealer.open(sealed)
  }

  /** Serves what others give from now on. */
  serve(serve: Serve): void {
    this.#serve = serve
  }

  /** Takes nothing more: whatever is given now is served where it came. */
  drain(): void {
    this.#serve = undefined
  }

  /**
   * Gives a request to the process at `place`; resolves with the head of its answer, which may take `patienceMs`.
   * @throws PeerUnreachableError, or what `signal` says
   */
  async ask(
    place: string,
    request: PeerRequest,
    signal: AbortSignal,
    patienceMs = 0,
  ): Promise<IncomingMessage> {
    if (this.#givenUp.has(place)) throw new PeerUnreachableError(false)
    const { method, name, headers, body, principal, origin } = request
    const visit = { principal, origin }
    const answer = await this.#send(
      place,
      {
        method,
        path: `/${encodeURIComponent(name)}`,
        signal,
        headers: {
          ...carried(headers),
          [VISIT_HEADER]: Buffer.from(JSON.stringify(visit)).toString('base64url'),
          ...(body === undefined ? {} : { 'content-length': String(body.length) }),
        },
      },
      body,
      patienceMs,
    )
    if (answer.headers[VISIT_HEADER] === undefined) return answer
    answer.resume()
    throw new PeerUnreachableError(false)
  }

  /** Takes nothing more; resolves when what was given has been answered, or cuts it after `deadlineMs`. */
  async close(deadlineMs: number): Promise<void> {
    this.drain()
    const cut = setTimeout(() => this.#server.closeAllConnections(), deadlineMs)
    const sweep = setInterval(() => this.#server.closeIdleConnections(), IDLE_SWEEP_MS)
    await new Promise<void>((resolve) => this.#server.close(() => resolve()))
    clearTimeout(cut)
    clearInterval(sweep)
  }

  /** Gives nothing more to anybody. */
  hangUp(): void {
    this.#agent.destroy()
  }

  #send(
    place: string,
    options: {
      readonly method: string
      readonly path: string
      readonly signal: AbortSignal
      readonly headers: Readonly<Record<string, string>>
    },
    body: Buffer | undefined,
    patienceMs: number,
  ): Promise<IncomingMessage> {
    const { hostname, port } = new URL(`https://${place}`)
    return new Promise((resolve, reject) => {
      let isConnected = false
      const outgoing = httpsRequest({
        ...options,
        hostname: hostname.replace(/^\[(.*)\]$/, '$1'),
        port,
        agent: this.#agent,
      })
      const tooLate = (): void => void outgoing.destroy(new Error('it takes too long'))
      let late = setTimeout(tooLate, CONNECT_MS)
      const connected = (): void => {
        isConnected = true
        clearTimeout(late)
        if (patienceMs > 0) late = setTimeout(tooLate, patienceMs)
      }
      outgoing.once('socket', (socket) => {
        if (outgoing.reusedSocket) connected()
        else (socket as TLSSocket).once('secureConnect', connected)
      })
      outgoing.once('response', (answer) => {
        clearTimeout(late)
        resolve(answer)
      })
      outgoing.once('error', (error) => {
        clearTimeout(late)
        if (options.signal.aborted) return reject(error)
        if (!isConnected) this.#givenUp.set(place, true)
        reject(new PeerUnreachableError(isConnected, error))
      })
      outgoing.end(body)
    })
  }

  #visited(request: IncomingMessage, response: ServerResponse): void {
    const said = request.headers[VISIT_HEADER]
    if (this.#serve === undefined || typeof said !== 'string') {
      // By this the other tells it from an answer.
      response.writeHead(503, { [VISIT_HEADER]: 'leaving', connection: 'close' }).end()
      return
    }
    delete request.headers[VISIT_HEADER]
    // Nobody without the key can have written it.
    const visit = JSON.parse(Buffer.from(said, 'base64url').toString()) as Omit<PeerVisit, 'name'>
    this.#serve(request, response, {
      ...visit,
      name: decodeURIComponent((request.url ?? '/').slice(1)),
    })
  }
}

function sharedKey(key: Buffer): SharedKey {
  const psk = derivedKey(key, 'peers')
  return { identity: createHash('sha256').update(psk).digest('hex').slice(0, 16), psk }
}
