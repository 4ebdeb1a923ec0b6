/**
 * HTTP+SSE for clients of 2024-11-05 that know no other transport (2024-11-05 basic/transports): a GET opens the one
 * stream of a session and names the address to post to; what is posted there is answered on the stream. The
 * session ends with the stream, so nothing here survives the process; what is posted at another is given to it.
 */
import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Message, RequestMessage } from '../../backends/index.js'
import { sseMessage, wholeText } from '../../backends/index.js'
import type { Permit, VirtualServer } from '../../federation/index.js'
import type { Principal } from '../auth/principal.js'
import { readBody } from '../http/body.js'
import { RefusedError } from '../http/refusal.js'
import type { Session } from '../session/session.js'
import type { RequestObserver } from '../telemetry/observation.js'
import { classify, negotiateVersion } from './classify.js'
import type { EndpointOptions } from './endpoint.js'
import { EventStream, KeepAlive } from './event-stream.js'
import { answerRequest, hear } from './legacy.js'
import { clientOf, openSession, speakerOf } from './open-session.js'
import { serverIn, toldOfLists } from './served.js'
import type { Terms } from './terms.js'
import { requireScopes } from './terms.js'
import {
  answering,
  isBatch,
  messagesIn,
  noteRefusal,
  requireAccept,
  requireContentType,
  requireRoom,
} from './request.js'

export const SSE_PATH = '/sse'
export const MESSAGES_PATH = '/messages'

/** The only revision that has this transport; later ones are spoken over it by clients that ask for them. */
const OLDEST_VERSION = '2024-11-05'
/** Of all answers of a client that reads slowly. A single one may be more; whoever has more waiting is cut off. */
const MAX_WAITING_BYTES = 16 * 1024 * 1024

export const noSession = (): RefusedError => new RefusedError(404, 'there is no such session')

/** One client: its stream, and its session once it has opened one. */
interface Connection {
  /** As the newest request showed it. */
  principal: Principal
  readonly stream: EventStream
  session: Session | undefined
  end: () => void
}

export class SseEndpoint {
  readonly #options: EndpointOptions
  readonly #keepAlive = new KeepAlive()
  readonly #connections = new Map<string, Connection>()

  constructor(options: EndpointOptions) {
    this.#options = options
  }

  /** GET: opens the stream. Never rejects. */
  async open(
    request: IncomingMessage,
    response: ServerResponse,
    principal: Principal,
  ): Promise<void> {
    await answering(response, this.#options.onInternalError, () => {
      requireAccept(request, 'text/event-stream')
      // Whoever knows the address speaks for the client, so nobody may guess it.
      const secret = randomBytes(32).toString('base64url')
      const { elsewhere } = this.#options
      const key = elsewhere === undefined ? secret : `${secret}.${elsewhere.sealedPlace}`
      const stream = new EventStream(response, MAX_WAITING_BYTES)
      const end = (): void => void response.end()
      const connection: Connection = { principal, stream, session: undefined, end }
      this.#connections.set(key, connection)
      const membership = this.#keepAlive.add(stream)
      response.once('close', () => {
        this.#connections.delete(key)
        membership.leave()
        connection.end()
      })
      stream.write(`event: endpoint\ndata: ${MESSAGES_PATH}?sessionId=${key}\n\n`)
    })
  }

  /**
   * POST: takes a message; its answer goes to the stream, which another process may have, unless that one gave the message
   * to this. Never rejects.
   */
  async post(
    request: IncomingMessage,
    response: ServerResponse,
    key: string,
    principal: Principal,
    given?: 'given',
  ): Promise<void> {
    await answering(response, this.#options.onInternalError, async () => {
      requireContentType(request)
      const connection = this.#connections.get(key)
      if (connection === undefined && given === undefined) {
        return this.#giveAway(request, response, key, principal)
      }
      if (connection?.principal.id !== principal.id) {
        throw noSession()
      }
      connection.principal = principal
      // Whoever does not take answers is not asked for more to answer.
      const room = connection.stream.room()
      if (room !== undefined) await room
      if (this.#connections.get(key) !== connection) throw noSession()
      const body = await this.#read(request)
      const message = messagesIn(body)
      if (isBatch(message)) throw new RefusedError(400, 'this revision has no batches')
      this.#take(message, connection, request, body.length)
      response.writeHead(202).end()
    })
  }

  /** @throws RefusedError 404 where no process has the stream */
  async #giveAway(
    request: IncomingMessage,
    response: ServerResponse,
    key: string,
    principal: Principal,
  ): Promise<void> {
    const { elsewhere } = this.#options
    const [, sealed = ''] = key.split('.', 2)
    const place = elsewhere?.placeOf(sealed)
    if (elsewhere === undefined || place === undefined) throw noSession()
    const posted = { request, response, name: '', principal, body: await this.#read(request) }
    if (!(await elsewhere.takePosted(posted, key, place))) throw noSession()
  }

  #read(request: IncomingMessage): Promise<Buffer> {
    const { bodyLimits, overload } = this.#options
    return readBody(request, bodyLimits.atPath(''), overload)
  }

  get streams(): number {
    return this.#connections.size
  }

  /** Ends all streams; their clients come back by themselves. */
  close(): void {
    this.#keepAlive.close()
    for (const { stream } of this.#connections.values()) stream.end()
  }

  #take(message: Message, connection: Connection, request: IncomingMessage, bytes: number): void {
    const { serverOf, observe, bodyLimits } = this.#options
    const server = serverOf('')
    if (server === undefined) throw new RefusedError(404, 'there is no MCP server here')
    if (message.kind !== 'request') {
      requireRoom(bodyLimits, server, message, bytes)
      const session = this.#session(message, connection)
      const { permit } = this.#terms(request, connection, session)
      const own = this.#served(server, session, connection, request, permit)
      return this.#hear(message, own, session)
    }
    const observation = observe(message, request, server, connection.principal, bytes)
    try {
      requireRoom(bodyLimits, server, message, bytes)
      this.#serve(message, server, connection, request, observation)
    } catch (error) {
      noteRefusal(error, observation)
      throw error
    }
  }

  #serve(
    message: RequestMessage,
    server: VirtualServer,
    connection: Connection,
    request: IncomingMessage,
    observation: RequestObserver,
  ): void {
    const { id } = message
    if (classify(message) === 'initialize') {
      if (connection.session !== undefined) {
        throw new RefusedError(400, 'the session is open already', { id })
      }
      const asker = { principal: connection.principal, request, client: clientOf(message) }
      const choice = this.#options.variants.forOpening(asker, message.params)
      const { answer, opened } = openSession(
        message,
        server.with(choice),
        '',
        connection.principal,
        this.#options.sessions,
        negotiate,
        observation,
        choice,
      )
      if (opened !== undefined) this.#begin(connection, server, opened, request)
      return connection.stream.write(sseMessage(answer))
    }
    const session = this.#session(message, connection)
    const terms = this.#terms(request, connection, session)
    const own = this.#served(server, session, connection, request, terms.permit)
    observation.spokenBy(speakerOf(session), terms, own)
    requireScopes(terms, own, message)
    this.#answer(message, own, session, connection.stream, terms, observation)
  }

  #served(
    server: VirtualServer,
    session: Session,
    { principal }: Connection,
    request: IncomingMessage,
    permit: Permit | undefined,
  ): VirtualServer {
    const served = { request, server, principal }
    return serverIn(session, served, this.#options.variants, permit)
  }

  /** @throws RefusedError where there is none yet, or the message is of a later revision */
  #session(message: Message, { session }: Connection): Session {
    const id = message.kind === 'request' ? message.id : undefined
    if (classify(message) === 'modern') {
      throw new RefusedError(400, 'this transport is for earlier revisions', { id })
    }
    if (session === undefined) throw new RefusedError(400, 'begin with "initialize"', { id })
    return session
  }

  #begin(
    connection: Connection,
    server: VirtualServer,
    { session, token }: { readonly session: Session; readonly token: string },
    request: IncomingMessage,
  ): void {
    const { permit } = this.#terms(request, connection, session)
    const { stream, principal } = connection
    const { variants } = this.#options
    connection.session = session
    connection.end = () => this.#options.sessions.end(token, session)
    session.attach(
      {
        isConnected: true,
        send: (text) => stream.send(sseMessage(text)),
        end: () => stream.end(),
      },
      () => toldOfLists(session, { request, server, principal }, variants, permit),
    )
  }

  #terms(request: IncomingMessage, { principal }: Connection, { seed, caller }: Session): Terms {
    const terms = this.#options.termsFor({ principal, request, client: seed.client })
    caller.subject = terms.subject
    return terms
  }

  #hear(message: Message, server: VirtualServer, session: Session): void {
    const { tokens, onInternalError } = this.#options
    if (message.kind !== 'request') hear(server, session, message, tokens, onInternalError)
  }

  #answer(
    message: RequestMessage,
    server: VirtualServer,
    session: Session,
    stream: EventStream,
    terms: Terms,
    observation: RequestObserver,
  ): void {
    const { tokens, onInternalError } = this.#options
    const way = {
      notify: (text: string) => stream.send(sseMessage(text)),
      room: () => stream.room(),
      ask: (text: string) => {
        stream.send(sseMessage(text))
        return true
      },
    }
    answerRequest(server, session, message, way, tokens, onInternalError, terms, observation)
      .then((answer) => {
        if (answer !== undefined) stream.send(sseMessage(wholeText(answer)))
      })
      .catch(onInternalError)
  }
}

function negotiate(asked: string): string {
  return asked === OLDEST_VERSION ? asked : negotiateVersion(asked)
}
