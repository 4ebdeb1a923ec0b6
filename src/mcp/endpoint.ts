/**
 * The MCP endpoint of one path: POST, GET and DELETE of Streamable HTTP on Node's own request and response, because
 * wrapping them costs more than relaying the call (design.md §3). It turns away what is not the protocol and
 * hands the rest to the edge of its era.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Message, RequestId, RequestMessage } from '../../backends/index.js'
import {
  ErrorCode,
  InvalidMessageError,
  JsonRpcError,
  errorText,
  notificationText,
} from '../../backends/index.js'
import type { VirtualServer } from '../../federation/index.js'
import type { Asker } from '../auth/policy.js'
import type { Principal } from '../auth/principal.js'
import { readBody } from '../http/body.js'
import type { BodyLimits } from '../http/body-limits.js'
import { RefusedError } from '../http/refusal.js'
import type { ModernCallers } from '../session/modern-callers.js'
import type { ReplyTokens } from '../session/reply-tokens.js'
import type { Session } from '../session/session.js'
import type { SessionStore } from '../session/session-store.js'
import type { RequestObserver } from '../telemetry/observation.js'
import { classify, isServedVersionHeader, negotiateVersion } from './classify.js'
import { readEventId } from './event-ids.js'
import { KeepAlive } from './event-stream.js'
import { answerRequest, belongsElsewhere, hearAnswer, hearNotification } from './legacy.js'
import { answerForLostStream } from './lost-streams.js'
import { openSession, speakerOf } from './open-session.js'
import { answering, messagesIn, requireAccept, requireContentType, requireRoom } from './request.js'
import { ModernEndpoint } from './modern-endpoint.js'
import { looksLikeMcp, passThrough } from './pass-through.js'
import { PostResponse } from './post-response.js'
import type { Terms } from './terms.js'
import { requireScopes, sayWhen } from './terms.js'
import type { ResumableStream } from './resumable-stream.js'
import { ResumableStreams } from './resumable-stream.js'

export interface EndpointOptions {
  readonly sessions: SessionStore
  readonly tokens: ReplyTokens
  readonly callers: ModernCallers
  /** A caller that will not come back: what servers hold for it can go. */
  readonly onCallerGone: (key: string) => void
  readonly bodyLimits: BodyLimits
  /** The virtual server of a path: '' is the whole federation, else a target's name. */
  readonly serverOf: (name: string) => VirtualServer | undefined
  /** Begins to observe a request that has been read; `bytes` is what was read, where that was of this one alone. */
  readonly observe: (
    message: RequestMessage,
    request: IncomingMessage,
    server: VirtualServer,
    principal: Principal,
    bytes: number | undefined,
  ) => RequestObserver
  /** On what terms a caller is served. */
  readonly termsFor: (asker: Asker) => Terms
  /** A fault of ours, with nothing about it told to the client. */
  readonly onInternalError: (error: unknown) => void
}

const BATCH_VERSION = '2025-03-26'
/** Clients from this revision on know an event without data. Revisions are dates, so they compare as text. */
const PRIMED_SINCE = '2025-11-25'
const MAX_BATCH = 100
const LISTS = ['tools', 'prompts', 'resources'] as const
/** Nothing has been done with it, so whoever is between may send it again at once. */
const ELSEWHERE =
  'another process of this gateway asked for this answer, or one that is gone; send it again'

export class McpEndpoint {
  readonly #options: EndpointOptions
  readonly #keepAlive = new KeepAlive()
  readonly #modern: ModernEndpoint
  readonly #streams = new WeakMap<Session, ResumableStreams>()
  /** Streams for what belongs to no call. */
  readonly #general = new WeakSet<ResumableStream>()
  #draining = false
  #openStreams = 0

  constructor(options: EndpointOptions) {
    this.#options = options
    this.#modern = new ModernEndpoint(options, this.#keepAlive)
  }

  /** Answers one request, whatever it is. Never rejects. */
  async handle(
    request: IncomingMessage,
    response: ServerResponse,
    name: string,
    principal: Principal,
  ): Promise<void> {
    await answering(response, this.#options.onInternalError, () => {
      const server = this.#options.serverOf(name)
      if (server === undefined) return this.#below(request, response, name, principal)
      if (server.foreignTaker !== undefined && !looksLikeMcp(request)) {
        return this.#passOn(request, response, name, '', principal)
      }
      switch (request.method) {
        case 'POST':
          return this.#post(request, response, server, name, principal)
        case 'GET':
          return this.#get(request, response, server, name, principal)
        case 'DELETE':
          return this.#delete(request, response, name, principal)
        default:
          throw new RefusedError(405, 'use POST, GET or DELETE', {
            headers: { allow: 'POST, GET, DELETE' },
          })
      }
    })
  }

  /** Streams that are open for what belongs to no call. */
  get streams(): number {
    return this.#openStreams + this.#modern.listens
  }

  /** The process is about to end: streams belong elsewhere from now on. */
  drain(): void {
    this.#draining = true
    for (const session of this.#options.sessions) session.moveStreams()
    this.#modern.drain()
  }

  close(): void {
    this.#keepAlive.close()
  }

  async #post(
    request: IncomingMessage,
    response: ServerResponse,
    server: VirtualServer,
    name: string,
    principal: Principal,
  ): Promise<void> {
    requireContentType(request)
    const { bodyLimits } = this.#options
    const body = await readBody(request, bodyLimits.atPath(name))
    let messages: ReturnType<typeof messagesIn>
    try {
      messages = messagesIn(body)
    } catch (error) {
      if (server.foreignTaker === undefined) throw error
      return this.#passOn(request, response, name, '', principal, body)
    }
    requireAccept(request, 'application/json', 'text/event-stream')
    const single = Array.isArray(messages) ? undefined : messages
    // What is refused for its length is none of the requests in it.
    const several = Array.isArray(messages) && messages.length <= MAX_BATCH ? messages : []
    const observed = (single === undefined ? several : [single]).map((message) =>
      message instanceof InvalidMessageError || message.kind !== 'request'
        ? undefined
        : this.#options.observe(message, request, server, principal, single && body.length),
    )
    try {
      requireRoom(bodyLimits, server, messages, body.length)
      if (Array.isArray(messages)) {
        const session = this.#session(request, name, principal)
        const terms = this.#terms(request, response, principal, session)
        return this.#batch(messages, response, server, session, terms, observed)
      }
      return await this.#single(messages, request, response, server, name, principal, observed[0])
    } catch (error) {
      const { status = 500, rpcCode = ErrorCode.InternalError } =
        error instanceof RefusedError ? error : {}
      for (const observation of observed) observation?.refused(status, rpcCode)
      throw error
    }
  }

  #single(
    message: Message,
    request: IncomingMessage,
    response: ServerResponse,
    server: VirtualServer,
    name: string,
    principal: Principal,
    observation: RequestObserver | undefined,
  ): void | Promise<void> {
    const version = request.headers['mcp-protocol-version']
    const kind = classify(message, typeof version === 'string' ? version : undefined)
    if (observation === undefined || message.kind !== 'request') {
      // A notification of the modern era says nothing that we act on.
      if (kind !== 'modern') {
        const session = this.#session(request, name, principal)
        this.#terms(request, response, principal, session)
        requireHere(message, server, session, this.#options.tokens)
        this.#hear(message, server, session)
      }
      return void response.writeHead(202).end()
    }
    switch (kind) {
      case 'modern':
        return this.#modern.handle(request, message, response, server, principal, observation)
      case 'initialize':
        return this.#initialize(message, response, server, name, principal, observation)
      case 'legacy': {
        const session = this.#session(request, name, principal, message.id)
        const terms = this.#terms(request, response, principal, session)
        observation.spokenBy(speakerOf(session), terms)
        requireScopes(terms, server, message)
        const reply = this.#reply(response, session, [message.id], false)
        return this.#answer(message, reply, server, session, terms, observation)
      }
    }
  }

  /** What is behind a server's own path is that server's, where it takes what is not MCP. */
  async #below(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    principal: Principal,
  ): Promise<void> {
    const [, name = '', rest = ''] = /^([^/]*)(\/.*)$/s.exec(path) ?? []
    return this.#passOn(request, response, name, rest, principal)
  }

  /** @throws RefusedError 404 where the server does not take it; as `passThrough` */
  async #passOn(
    request: IncomingMessage,
    response: ServerResponse,
    name: string,
    path: string,
    principal: Principal,
    body?: Buffer,
  ): Promise<void> {
    const { serverOf, termsFor, bodyLimits } = this.#options
    const taker = name === '' ? undefined : serverOf(name)?.foreignTaker
    if (taker === undefined) throw new RefusedError(404, 'there is no MCP server at this path')
    const terms = termsFor({ principal, request, client: { name: '', version: '' } })
    await passThrough(request, response, taker, path, terms, bodyLimits.of(name), body)
  }

  async #initialize(
    request: RequestMessage,
    response: ServerResponse,
    server: VirtualServer,
    name: string,
    principal: Principal,
    observation: RequestObserver,
  ): Promise<void> {
    const { sessions } = this.#options
    const { answer, opened } = openSession(
      request,
      server,
      name,
      principal,
      sessions,
      negotiateVersion,
      observation,
    )
    if (opened === undefined) return writeJson(response, answer)
    const { session, token } = opened
    const opening = server.open(session.caller)
    if (opening === undefined) return writeJson(response, answer, { 'mcp-session-id': token })
    await opening
    writeJson(response, answer, { 'mcp-session-id': sessions.rename(token, session) })
  }

  #batch(
    messages: readonly (Message | InvalidMessageError)[],
    response: ServerResponse,
    server: VirtualServer,
    session: Session,
    terms: Terms,
    observed: readonly (RequestObserver | undefined)[],
  ): void {
    for (const observation of observed) observation?.spokenBy(speakerOf(session), terms)
    if (session.seed.protocolVersion !== BATCH_VERSION) {
      throw new RefusedError(400, `batches exist in revision ${BATCH_VERSION} only`)
    }
    if (messages.length === 0) throw new RefusedError(400, 'the batch is empty')
    if (messages.length > MAX_BATCH) {
      throw new RefusedError(400, `a batch holds at most ${MAX_BATCH} messages`)
    }
    for (const message of messages) {
      if (!(message instanceof InvalidMessageError) && message.kind === 'request') {
        requireScopes(terms, server, message)
      }
    }
    const ids = messages.flatMap((it) =>
      it instanceof InvalidMessageError || it.kind === 'request' ? [it.id] : [],
    )
    const reply = ids.length === 0 ? undefined : this.#reply(response, session, ids, true)
    for (const [index, message] of messages.entries()) {
      const observation = observed[index]
      if (message instanceof InvalidMessageError) {
        reply?.answer(errorText(message.id, new JsonRpcError(message.rpcCode, message.message)))
      } else if (message.kind !== 'request') this.#hear(message, server, session)
      else if (reply !== undefined && observation !== undefined) {
        this.#answer(message, reply, server, session, terms, observation)
      }
    }
    if (reply === undefined) response.writeHead(202).end()
  }

  #reply(
    response: ServerResponse,
    session: Session,
    ids: readonly (RequestId | undefined)[],
    isBatch: boolean,
  ): PostResponse {
    const open = (): ResumableStream =>
      this.#streamsOf(session).open(ids.filter((id) => id !== undefined))
    return new PostResponse(response, this.#keepAlive, open, ids.length, isBatch)
  }

  #hear(message: Message, server: VirtualServer, session: Session): void {
    const { tokens, onInternalError } = this.#options
    if (message.kind === 'request') return
    if (message.kind === 'notification') {
      hearNotification(server, session, message, tokens, onInternalError)
    } else hearAnswer(server, session, message, tokens, onInternalError)
  }

  #answer(
    message: RequestMessage,
    reply: PostResponse,
    server: VirtualServer,
    session: Session,
    terms: Terms,
    observation: RequestObserver,
  ): void {
    const { tokens, onInternalError } = this.#options
    if (message.method === 'initialize') {
      const answer = new JsonRpcError(ErrorCode.InvalidRequest, '"initialize" cannot be in a batch')
      const text = errorText(message.id, answer)
      observation.failed(answer, answer.rpcCode, text)
      return reply.answer(text)
    }
    answerRequest(server, session, message, reply, tokens, onInternalError, terms, observation)
      .then((text) => reply.answer(text))
      .catch(onInternalError)
  }

  #get(
    request: IncomingMessage,
    response: ServerResponse,
    server: VirtualServer,
    name: string,
    principal: Principal,
  ): void {
    requireAccept(request, 'text/event-stream')
    if (this.#draining) throw new RefusedError(503, 'this gateway is stopping; try again')
    const session = this.#session(request, name, principal)
    const streams = this.#streamsOf(session)
    const lastEventId = request.headers['last-event-id']
    const last = typeof lastEventId === 'string' ? readEventId(lastEventId) : undefined
    const resumed = last === undefined ? undefined : streams.find(last)
    if (last?.calls !== undefined && resumed === undefined) {
      return answerForLostStream(response, last, streams.maySendOn(last))
    }
    const stream = resumed ?? streams.open()
    if (resumed === undefined || last === undefined) {
      this.#general.add(stream)
      stream.connect(response)
      // Whatever was said on the stream that it had before may have been missed.
      if (last !== undefined) for (const text of allChanged(session)) stream.send(text)
    } else stream.resume(response, last.sequence)
    // The stream of a call that is resumed carries what belongs to that call and nothing else.
    if (this.#general.has(stream)) {
      const { permit } = this.#terms(request, response, principal, session)
      session.attach(stream, () =>
        server.onListChanged((changed) => {
          for (const kind of changed) {
            session.notify(notificationText(`notifications/${kind}/list_changed`))
          }
        }, permit),
      )
    }
    const leave = this.#keepAlive.add(stream)
    this.#openStreams++
    response.once('close', () => {
      this.#openStreams--
      session.touch()
      leave()
    })
  }

  #terms(
    request: IncomingMessage,
    response: ServerResponse,
    principal: Principal,
    { seed, caller }: Session,
  ): Terms {
    const terms = this.#options.termsFor({ principal, request, client: seed.client })
    caller.subject = terms.subject
    return { ...terms, onLimited: (ms) => sayWhen(response, ms) }
  }

  #streamsOf(session: Session): ResumableStreams {
    let streams = this.#streams.get(session)
    if (streams === undefined) {
      streams = new ResumableStreams(session.seed.protocolVersion >= PRIMED_SINCE)
      this.#streams.set(session, streams)
    }
    return streams
  }

  #delete(
    request: IncomingMessage,
    response: ServerResponse,
    name: string,
    principal: Principal,
  ): void {
    const session = this.#session(request, name, principal)
    this.#options.sessions.end(sessionHeader(request) ?? '', session)
    response.writeHead(204).end()
  }

  #session(
    request: IncomingMessage,
    name: string,
    principal: Principal,
    id?: RequestMessage['id'],
  ): Session {
    const version = request.headers['mcp-protocol-version']
    if (!isServedVersionHeader(typeof version === 'string' ? version : undefined)) {
      throw new RefusedError(400, 'the MCP-Protocol-Version header names no version served here', {
        id,
      })
    }
    const token = sessionHeader(request)
    if (token === undefined) {
      throw new RefusedError(400, 'the Mcp-Session-Id header is missing; begin with "initialize"', {
        id,
      })
    }
    const session = this.#options.sessions.find(token, name, principal.id)
    if (session === undefined) {
      throw new RefusedError(404, 'there is no such session; begin anew with "initialize"', { id })
    }
    return session
  }
}

/** That every list which the client was promised to hear of has changed. */
function allChanged({ seed }: Session): readonly string[] {
  return LISTS.filter((list) => seed.promised.includes(list)).map((list) =>
    notificationText(`notifications/${list}/list_changed`),
  )
}

/** @throws RefusedError 503 for an answer that another process waits for */
function requireHere(
  message: Message,
  server: VirtualServer,
  session: Session,
  tokens: ReplyTokens,
): void {
  if (message.kind === 'request' || message.kind === 'notification') return
  if (belongsElsewhere(server, session, message, tokens)) {
    // Where connections and not requests are balanced, this one would lead here again.
    const headers = { 'retry-after': '0', connection: 'close' }
    throw new RefusedError(503, ELSEWHERE, { headers })
  }
}

function sessionHeader(request: IncomingMessage): string | undefined {
  const header = request.headers['mcp-session-id']
  return typeof header === 'string' && header !== '' ? header : undefined
}

function writeJson(
  response: ServerResponse,
  body: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(200, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...headers,
  })
  response.end(body)
}
