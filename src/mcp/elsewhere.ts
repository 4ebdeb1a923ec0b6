/**
 * What another process of this gateway has to take care of, because only that one can: it holds the streams and
 * subscriptions of a session, a question's call, a parked call, a child process of the session's. Which one it is says what
 * the client shows. Where that one is gone, the request is served here, as far as that goes.
 */
import type { IncomingMessage } from 'node:http'
import type {
  Message,
  NotificationMessage,
  RawObject,
  RequestId,
  RequestMessage,
} from '../../backends/index.js'
import { ErrorCode, errorText, JsonRpcError } from '../../backends/index.js'
import { readBody } from '../http/body.js'
import { sendAnswer } from '../http/carried.js'
import { NOBODY } from '../auth/principal.js'
import { NOWHERE, originOf } from '../http/origin.js'
import { RefusedError } from '../http/refusal.js'
import type { PeerOutcome, PeerRequest, Peers } from '../peers/peers.js'
import { PeerUnreachableError } from '../peers/sending.js'
import type { ReplyTokens } from '../session/reply-tokens.js'
import type { Session } from '../session/session.js'
import type { SessionStore } from '../session/session-store.js'
import { AbsentHomes } from './absent-homes.js'
import type { Visit } from './endpoint.js'
import type { EventId } from './event-ids.js'
import { answerWithJson } from './json-answer.js'
import { sessionHeader } from './request.js'
import { Telling } from './telling.js'
import { MAX_WORD_BYTES, Whereabouts } from './whereabouts.js'

export interface ElsewhereOptions {
  readonly peers: Peers
  readonly sessions: SessionStore
  readonly tokens: ReplyTokens
  /** Where a modern call goes on with which it may have come back. */
  readonly placeOfState: (params: RawObject) => string | undefined
  /** Something was given to another process, or could not be. */
  readonly onGiven: (outcome: PeerOutcome) => void
}

type Posted = Pick<Visit, 'request' | 'response' | 'name' | 'principal' | 'body'>

/** A message for another process. */
interface Errand {
  readonly place: string
  readonly id?: RequestId
  /** Something that runs there waits for it. */
  readonly isOwed?: true
  /** Where the other is gone and may have run it, it is not repeated; or this process is of no use for it. */
  readonly otherwise?: 'fails' | 'ends the session' | undefined
  /** As `PeerRequest` has it. */
  readonly postedFor?: string
}

const OF_STREAMS: ReadonlySet<string> = new Set(['resources/subscribe', 'resources/unsubscribe'])
/** What holds for the whole session, and is taken care of by each process that serves it. */
const OF_THE_SESSION: ReadonlySet<string> = new Set([
  'logging/setLevel',
  'notifications/cancelled',
  'notifications/roots/list_changed',
])
const CALLS: ReadonlySet<string> = new Set([
  'tools/call',
  'prompts/get',
  'resources/read',
  'completion/complete',
])

/** By this, and not by a method of the protocol's, one process tells another what to say in a session. */
export const SAY = 'PUT'

const LOST = new JsonRpcError(
  ErrorCode.InternalError,
  'the process of the gateway that this was given to is gone, and the answer with it; the call may have run',
)

const STOPPED = new JsonRpcError(
  ErrorCode.InternalError,
  'this gateway is stopping, and gave the call to another process; it may have run',
)

export class Elsewhere {
  readonly #options: ElsewhereOptions
  /** Ends the streams that come from another process. */
  readonly #streams = new Set<() => void>()
  /** What has been given and not begun to be answered. */
  readonly #given = new Set<AbortController>()
  readonly #absentHomes: AbsentHomes
  readonly #saying = new WeakMap<Session, Promise<void>>()
  readonly #telling = new Telling((...of) => this.#ask(...of))
  readonly #whereabouts: Whereabouts
  #isLeaving = false

  constructor(options: ElsewhereOptions) {
    this.#options = options
    this.#absentHomes = new AbsentHomes(options.peers)
    const { peers, sessions } = options
    const tell = (place: string, told: PeerRequest): void => void this.#telling.tell(place, told)
    this.#whereabouts = new Whereabouts({ peers, sessions, tell })
  }

  /** Where the others reach this process, sealed. */
  get sealedPlace(): string {
    return this.#options.peers.sealedPlace
  }

  /**
   * Whether another process takes care of a message; `undefined`, at once, for all that is served here.
   * @throws RefusedError 404 where the session has to begin anew for it
   */
  take(message: Message, visit: Visit): Promise<boolean> | undefined {
    if (visit.isGiven) {
      if (visit.toldBy !== undefined) this.#tellOn(message, visit)
      return undefined
    }
    const errand = this.#errand(message, visit)
    return errand && this.#run(errand, visit)
  }

  /** What a session asks for is served here. */
  serves(session: Session, { server }: Pick<Visit, 'server'>): void {
    const { home } = session.seed
    const isAway = home !== undefined && home !== this.#options.peers.place
    if (isAway) this.#whereabouts.serve(session, server)
  }

  /** Whether another process has the stream that a GET asks for. Resolves with `false` for those that are opened here. */
  async takeStream(visit: Visit, session: Session, last: EventId | undefined): Promise<boolean> {
    const { peers } = this.#options
    const sealed = last?.calls === undefined ? undefined : last.sealedPlace
    const place = sealed === undefined ? session.seed.home : peers.openPlace(sealed)
    if (visit.isGiven || place === undefined || place === peers.place) return false
    const gone = goneWith(visit)
    try {
      const answer = await this.#ask(place, asked(visit), gone.signal)
      const { response } = visit
      const end = (): void => void response.end(() => gone.abort())
      this.#streams.add(end)
      response.once('close', () => this.#streams.delete(end))
      passOn(answer, visit)
      // It came too late to be told with the others.
      if (this.#isLeaving) end()
      return true
    } catch (error) {
      return isTaken(error, gone)
    }
  }

  /** Where another process is reached that has sealed its place; `undefined` where none has, or it is this one. */
  placeOf(sealed: string): string | undefined {
    const { peers } = this.#options
    const place = peers.openPlace(sealed)
    return place === peers.place ? undefined : place
  }

  /** Gives what a client of HTTP+SSE posted to the process that has its stream. Resolves with `false` where that is gone. */
  takePosted(posted: Posted, key: string, place: string): Promise<boolean> {
    return this.#run({ place, postedFor: key }, posted)
  }

  /** A stream of the session's was opened here. `onBack` hears of it when its home can be reached after all. */
  awaitHome({ seed: { home } }: Session, { response }: Visit, onBack: () => void): void {
    if (home === undefined || home === this.#options.peers.place) return
    response.once('close', this.#absentHomes.wait(home, onBack))
  }

  /** Tells all that serve the session that its client ends it. */
  ended(visit: Visit, session: Session): void {
    this.#whereabouts.tell(session, asked(visit), visit.toldBy)
  }

  /** Another process says which sessions it serves, and reads what it has missed of them. @throws RefusedError 413 */
  async hearWhereabouts({ request, response }: Pick<Visit, 'request' | 'response'>): Promise<void> {
    const body = await readBody(request, MAX_WORD_BYTES)
    answerWithJson(response, 200, this.#whereabouts.hear(body))
  }

  /** Says something that belongs to no request on a stream of the session's, wherever that is, behind what was said before. */
  say(session: Session, text: string): void {
    const { seed, token } = session
    if (token === undefined) return
    const { home, principal: id, server: name } = seed
    const headers = { 'mcp-session-id': token, 'content-type': 'application/json' }
    const principal = { ...NOBODY, id }
    const body = Buffer.from(text)
    const said = { method: SAY, name, headers, body, principal, origin: NOWHERE }
    this.#saying.set(session, this.#tellHome(home, said, this.#saying.get(session)))
  }

  /** The process is about to end: streams that come from elsewhere are opened elsewhere. */
  drain(): void {
    this.#isLeaving = true
    this.#absentHomes.close()
    for (const end of this.#streams) end()
  }

  /** What is not being answered by now fails. */
  giveUp(): void {
    for (const gone of this.#given) gone.abort(STOPPED)
  }

  /** Says nothing more to anybody. */
  close(): void {
    this.#whereabouts.close()
  }

  #errand(message: Message, visit: Visit): Errand | undefined {
    const { peers } = this.#options
    if (message.kind === 'request') {
      const { requestState } = message.params.value
      const place =
        requestState === undefined ? undefined : this.#options.placeOfState(message.params)
      if (place !== undefined) {
        return place === peers.place ? undefined : { place, id: message.id, isOwed: true }
      }
    }
    const session = this.#session(visit)
    const home = session?.seed.home
    if (session === undefined || home === undefined) return undefined
    if (message.kind === 'result' || message.kind === 'error') {
      return this.#errandOfAnswer(message.id, session, visit)
    }
    const { method, params } = message
    if (method === 'notifications/progress') {
      const { progressToken } = params.value
      return this.#errandOfAnswer(progressToken as RequestId | undefined, session, visit)
    }
    if (OF_THE_SESSION.has(method)) this.#tellAll(message, session, visit)
    if (home === peers.place || message.kind !== 'request') return undefined
    this.serves(session, visit)
    const { id } = message
    if (OF_STREAMS.has(method)) {
      // Nobody would hear of changes from here, unless it listens here, as long as its home is away.
      if (!session.isHeard) return { place: home, id, otherwise: 'ends the session' }
      if (method === 'resources/unsubscribe') void this.#tellHome(home, asked(visit))
      return undefined
    }
    if (!CALLS.has(method)) return undefined
    const server = visit.server.with(session.chosen.choice)
    return server.isBoundToProcess(method, params.value)
      ? { place: home, id, otherwise: 'fails' }
      : undefined
  }

  #tellOn(message: Message, visit: Visit): void {
    if (message.kind !== 'request' && message.kind !== 'notification') return
    const session = this.#session(visit)
    if (session !== undefined) this.#tellAll(message, session, visit)
  }

  /** Tells what holds for the whole session to all others that serve it. */
  #tellAll(
    { method, params }: RequestMessage | NotificationMessage,
    session: Session,
    visit: Visit,
  ): void {
    const isCancelled = method === 'notifications/cancelled'
    if (isCancelled) this.#whereabouts.cancelled(session, params.value['requestId'])
    this.#whereabouts.tell(session, asked(visit, { isOwed: isCancelled }), visit.toldBy)
  }

  /** Of an answer to a question, or of progress with it. */
  #errandOfAnswer(
    id: RequestId | undefined,
    session: Session,
    { server }: Visit,
  ): Errand | undefined {
    const { peers, tokens } = this.#options
    const replyTo = id === undefined ? undefined : tokens.open(session, id)
    if (id === undefined || replyTo === undefined || server.reaches(replyTo)) return undefined
    const place = tokens.placeOf(session, id)
    return place === undefined || place === peers.place ? undefined : { place, isOwed: true }
  }

  async #run(errand: Errand, visit: Posted): Promise<boolean> {
    const { place, id, otherwise } = errand
    const gone = goneWith(visit)
    this.#given.add(gone)
    try {
      passOn(await this.#ask(place, asked(visit, errand), gone.signal), visit)
      return true
    } catch (error) {
      const isStopped = gone.signal.reason === STOPPED
      if (!isStopped && isTaken(error, gone)) return true
      const wasSent = error instanceof PeerUnreachableError && error.fate.wasSent
      const isLost = otherwise === 'fails' && wasSent
      if (id !== undefined && (isStopped || isLost)) {
        answerWithJson(visit.response, 200, errorText(id, isStopped ? STOPPED : LOST))
        return true
      }
      if (otherwise !== 'ends the session') return false
      const message = 'the process of this session is gone; begin anew with "initialize"'
      throw new RefusedError(404, message, { id })
    } finally {
      this.#given.delete(gone)
    }
  }

  #tellHome(home: string | undefined, request: PeerRequest, before?: Promise<void>): Promise<void> {
    const isElsewhere = home !== undefined && home !== this.#options.peers.place
    return isElsewhere ? this.#telling.tell(home, request, before) : Promise.resolve()
  }

  async #ask(place: string, request: PeerRequest, signal: AbortSignal): Promise<IncomingMessage> {
    const { peers, onGiven } = this.#options
    try {
      const answer = await peers.ask(place, request, signal)
      onGiven('answered')
      return answer
    } catch (error) {
      if (error instanceof PeerUnreachableError) onGiven('unreachable')
      throw error
    }
  }

  #session({ request, name, principal }: Visit): Session | undefined {
    const token = sessionHeader(request)
    return token === undefined ? undefined : this.#options.sessions.find(token, name, principal.id)
  }
}

/** The request as it came. */
function asked(
  { request, name, principal, body }: Posted,
  { isOwed = false, postedFor }: Pick<PeerRequest, 'isOwed' | 'postedFor'> = {},
): PeerRequest {
  const { method = 'GET', headers } = request
  return { method, name, headers, body, principal, origin: originOf(request), isOwed, postedFor }
}

function passOn(answer: IncomingMessage, { response }: Pick<Visit, 'response'>): void {
  const { statusCode = 502, headers } = answer
  sendAnswer(response, { status: statusCode, headers, body: answer })
}

/** Aborted when the client goes away. */
function goneWith({ response }: Pick<Visit, 'response'>): AbortController {
  const gone = new AbortController()
  if (response.closed) gone.abort()
  else response.once('close', () => gone.abort())
  return gone
}

/** @throws `error` where it says nothing of the other process */
function isTaken(error: unknown, gone: AbortController): boolean {
  if (gone.signal.aborted) return true
  if (!(error instanceof PeerUnreachableError)) throw error
  return false
}
