/** POST, GET and DELETE of revisions up to 2025-11-25: sessions, their requests one by one or in batches, and streams. */
import type { ServerResponse } from 'node:http'
import type { Message, RequestId, RequestMessage } from '../../backends/index.js'
import {
  ErrorCode,
  InvalidMessageError,
  JsonRpcError,
  errorText,
  notificationText,
} from '../../backends/index.js'
import type { VirtualServer } from '../../federation/index.js'
import { readBody } from '../http/body.js'
import { RefusedError } from '../http/refusal.js'
import type { ReplyTokens } from '../session/reply-tokens.js'
import type { Session } from '../session/session.js'
import type { RequestObserver } from '../telemetry/observation.js'
import { isServedVersionHeader, negotiateVersion } from './classify.js'
import type { EndpointOptions, Visit } from './endpoint.js'
import { EventBudget } from './event-budget.js'
import { readEventId } from './event-ids.js'
import type { KeepAlive } from './event-stream.js'
import { answerWithJson } from './json-answer.js'
import { answerRequest, belongsElsewhere, hear } from './legacy.js'
import { answerForLostStream } from './lost-streams.js'
import { clientOf, openSession, speakerOf } from './open-session.js'
import { PostResponse } from './post-response.js'
import type { ResumableStream } from './resumable-stream.js'
import { ResumableStreams } from './resumable-stream.js'
import { requireAccept, sessionHeader } from './request.js'
import { serverIn, toldOfLists } from './served.js'
import type { Terms } from './terms.js'
import { requireScopes } from './terms.js'

/** Of what one process has to say to another; more is not said. */
const MAX_SAID_BYTES = 16 * 1024 * 1024
const BATCH_VERSION = '2025-03-26'
/** Clients from this revision on know an event without data. Revisions are dates, so they compare as text. */
const PRIMED_SINCE = '2025-11-25'
export const MAX_BATCH = 100
const LISTS = ['tools', 'prompts', 'resources'] as const
/** Nothing has been done with it, so whoever is between may send it again at once. */
const ELSEWHERE =
  'another process of this gateway asked for this answer, or one that is gone; send it again'

export class LegacyEndpoint {
  readonly #options: EndpointOptions
  readonly #keepAlive: KeepAlive
  readonly #streams = new WeakMap<Session, ResumableStreams>()
  readonly #budget = new EventBudget()
  /** Streams for what belongs to no call. */
  readonly #general = new WeakSet<ResumableStream>()
  #draining = false
  #openStreams = 0

  constructor(options: EndpointOptions, keepAlive: KeepAlive) {
    this.#options = options
    this.#keepAlive = keepAlive
  }

  /** Streams that are open for what belongs to no call. */
  get streams(): number {
    return this.#openStreams
  }

  /** The process is about to end: streams belong elsewhere from now on. */
  drain(): void {
    this.#draining = true
    this.#options.elsewhere?.drain()
    for (const session of this.#options.sessions) session.moveStreams()
  }

  async initialize(
    message: RequestMessage,
    { request, response, server, name, principal }: Visit,
    observation: RequestObserver,
  ): Promise<void> {
    const { sessions, variants } = this.#options
    const asker = { principal, request, client: clientOf(message) }
    const choice = variants.forOpening(asker, message.params)
    const own = server.with(choice)
    const { answer, opened } = openSession(
      message,
      own,
      name,
      principal,
      sessions,
      negotiateVersion,
      observation,
      choice,
    )
    if (opened === undefined) return answerWithJson(response, 200, answer)
    const { session, token } = opened
    const opening = own.open(session.caller)
    if (opening !== undefined) await opening
    const id = opening === undefined ? token : sessions.rename(token, session)
    response.setHeader('mcp-session-id', id)
    answerWithJson(response, 200, answer)
  }

  /** One request of a session. @throws RefusedError */
  request(message: RequestMessage, visit: Visit, observation: RequestObserver): void {
    const session = this.#session(visit, message.id)
    const terms = this.#terms(visit, session)
    const own = this.#served(visit, session, terms)
    observation.spokenBy(speakerOf(session), terms, own)
    requireScopes(terms, own, message)
    const reply = this.#reply(visit.response, session, [message.id], false)
    void this.#answer(message, reply, own, session, terms, observation)
  }

  /** A notification or an answer. @throws RefusedError */
  hear(message: Message, visit: Visit): void {
    const session = this.#session(visit)
    const own = this.#served(visit, session, this.#terms(visit, session))
    requireHere(message, own, session, this.#options.tokens)
    this.#hear(message, own, session)
  }

  /** @throws RefusedError */
  batch(
    messages: readonly (Message | InvalidMessageError)[],
    visit: Visit,
    observed: readonly (RequestObserver | undefined)[],
  ): void {
    const { response } = visit
    const session = this.#session(visit)
    const terms = this.#terms(visit, session)
    const server = this.#served(visit, session, terms)
    for (const observation of observed) observation?.spokenBy(speakerOf(session), terms, server)
    this.#options.elsewhere?.serves(session, visit)
    if (session.seed.protocolVersion !== BATCH_VERSION) {
      throw new RefusedError(400, `batches exist in revision ${BATCH_VERSION} only`)
    }
    if (messages.length === 0) throw new RefusedError(400, 'the batch is empty')
    if (messages.length > MAX_BATCH) {
      throw new RefusedError(400, `a batch holds at most ${MAX_BATCH} messages`)
    }
    for (const message of messages) {
      if (message instanceof InvalidMessageError) continue
      if (message.kind === 'request') requireScopes(terms, server, message)
      else requireHere(message, server, session, this.#options.tokens)
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
        void this.#answer(message, reply, server, session, terms, observation)
      }
    }
    if (reply === undefined) response.writeHead(202).end()
  }

  /** A stream for what belongs to no request, or the rest of another. @throws RefusedError */
  async get(visit: Visit): Promise<void> {
    const { request, response, server, principal } = visit
    requireAccept(request, 'text/event-stream')
    this.#requireStay()
    const session = this.#session(visit)
    const streams = this.#streamsOf(session)
    const lastEventId = request.headers['last-event-id']
    const last = typeof lastEventId === 'string' ? readEventId(lastEventId) : undefined
    const found = last === undefined ? undefined : streams.find(last)
    // A general stream ends where it is to go on elsewhere.
    const resumed = found?.isEnded === true && this.#general.has(found) ? undefined : found
    const { elsewhere } = this.#options
    if (elsewhere !== undefined && resumed === undefined) {
      if (await elsewhere.takeStream(visit, session, last)) return
      this.#requireStay()
    }
    if (last?.calls !== undefined && resumed?.hasLostEnd(last.sequence) !== false) {
      return answerForLostStream(response, last, streams.maySendOn(last))
    }
    const stream = resumed ?? streams.open()
    if (resumed === undefined || last === undefined) {
      this.#general.add(stream)
      stream.connect(response)
    } else stream.resume(response, last.sequence)
    // The stream of a call that is resumed carries what belongs to that call and nothing else.
    if (this.#general.has(stream)) {
      const { permit } = this.#terms(visit, session)
      const { variants } = this.#options
      session.attach(stream, () =>
        toldOfLists(session, { request, server, principal }, variants, permit),
      )
      // Whatever was said before, on this stream or the one that the client had, may have been missed.
      const isWhole = last === undefined || resumed?.remembers(last.sequence) === true
      if (!isWhole) for (const text of allChanged(session)) stream.send(text)
      elsewhere?.awaitHome(session, visit, () => session.moveStreams())
    }
    const membership = this.#keepAlive.add(stream)
    this.#openStreams++
    response.once('close', () => {
      this.#openStreams--
      session.touch()
      membership.leave()
    })
  }

  /** Another process has something to say in a session that belongs to no request. @throws RefusedError */
  async say(visit: Visit): Promise<void> {
    const session = this.#session(visit)
    const body = await readBody(visit.request, MAX_SAID_BYTES)
    session.notify(body.toString())
    visit.response.writeHead(204).end()
  }

  /** The client ends its session. @throws RefusedError */
  delete(visit: Visit): void {
    const session = this.#session(visit)
    this.#options.elsewhere?.ended(visit, session)
    this.#options.sessions.end(sessionHeader(visit.request) ?? '', session)
    visit.response.writeHead(204).end()
  }

  /** @throws RefusedError 503 for a stream that would end at once */
  #requireStay(): void {
    if (this.#draining) throw new RefusedError(503, 'this gateway is stopping; try again')
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
    if (message.kind !== 'request') hear(server, session, message, tokens, onInternalError)
  }

  /** Never rejects. */
  async #answer(
    message: RequestMessage,
    reply: PostResponse,
    server: VirtualServer,
    session: Session,
    terms: Terms,
    observation: RequestObserver,
  ): Promise<void> {
    const { tokens, onInternalError } = this.#options
    if (message.method === 'initialize') {
      const answer = new JsonRpcError(ErrorCode.InvalidRequest, '"initialize" cannot be in a batch')
      const text = errorText(message.id, answer)
      observation.failed(answer, answer.rpcCode, text)
      return reply.answer(text)
    }
    try {
      reply.answer(
        await answerRequest(
          server,
          session,
          message,
          reply,
          tokens,
          onInternalError,
          terms,
          observation,
        ),
      )
    } catch (error) {
      onInternalError(error)
    }
  }

  #terms({ request, response, principal }: Visit, { seed, caller }: Session): Terms {
    const terms = this.#options.termsFor({ principal, request, client: seed.client }, response)
    caller.subject = terms.subject
    return terms
  }

  /** The server of the path as the session has it. */
  #served(visit: Visit, session: Session, { permit }: Terms): VirtualServer {
    return serverIn(session, visit, this.#options.variants, permit)
  }

  #streamsOf(session: Session): ResumableStreams {
    let streams = this.#streams.get(session)
    if (streams === undefined) {
      streams = new ResumableStreams(
        session.seed.protocolVersion >= PRIMED_SINCE,
        this.#options.elsewhere?.sealedPlace,
        this.#budget,
      )
      this.#streams.set(session, streams)
      session.whenClosed = () => streams?.clear()
    }
    return streams
  }

  #session({ request, name, principal }: Visit, id?: RequestId): Session {
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
