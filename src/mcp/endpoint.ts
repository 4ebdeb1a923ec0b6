/**
 * The MCP endpoint of one path: POST, GET and DELETE of Streamable HTTP on Node's own request and response, because
 * wrapping them costs more than relaying the call (design.md §3). It turns away what is not the protocol and
 * hands the rest to the edge of its era.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Message, RequestMessage } from '../../backends/index.js'
import { EMPTY_OBJECT, InvalidMessageError } from '../../backends/index.js'
import type { VirtualServer } from '../../federation/index.js'
import type { Asker } from '../auth/rule-input.js'
import type { Principal } from '../auth/principal.js'
import { readBody } from '../http/body.js'
import type { BodyLimits } from '../http/body-limits.js'
import type { Overload } from '../http/overload.js'
import { RefusedError } from '../http/refusal.js'
import type { ModernCallers } from '../session/modern-callers.js'
import type { ReplyTokens } from '../session/reply-tokens.js'
import type { SessionStore } from '../session/session-store.js'
import type { RequestObserver } from '../telemetry/observation.js'
import { UNOBSERVED } from '../telemetry/observation.js'
import type { Variants } from '../variants/variants.js'
import { classify } from './classify.js'
import type { Elsewhere } from './elsewhere.js'
import { SAY } from './elsewhere.js'
import { SERVES } from './whereabouts.js'
import { KeepAlive } from './event-stream.js'
import { LegacyEndpoint, MAX_BATCH } from './legacy-endpoint.js'
import { ModernEndpoint } from './modern-endpoint.js'
import { looksLikeMcp, passThrough } from './pass-through.js'
import {
  answering,
  isBatch,
  messagesIn,
  noteRefusal,
  requireAccept,
  requireContentType,
  requireRoom,
} from './request.js'
import type { Terms } from './terms.js'

export interface EndpointOptions {
  readonly sessions: SessionStore
  readonly tokens: ReplyTokens
  readonly callers: ModernCallers
  /** Who is served by which server of a target with several. */
  readonly variants: Variants
  /** What other processes take care of, where there may be any. */
  readonly elsewhere: Elsewhere | undefined
  /** A caller that will not come back: what servers hold for it can go. */
  readonly onCallerGone: (key: string) => void
  readonly bodyLimits: BodyLimits
  readonly overload: Overload
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
  /** On what terms a caller is served; `response` is where it can be told when to come back. */
  readonly termsFor: (asker: Asker, response?: ServerResponse) => Terms
  /** A fault of ours, with nothing about it told to the client. */
  readonly onInternalError: (error: unknown) => void
}

/** One HTTP request at the endpoint, and where it leads. */
export interface Visit {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly server: VirtualServer
  /** Of the virtual server: '' for the whole. */
  readonly name: string
  readonly principal: Principal
  /** Another process gave it to this one. */
  readonly isGiven: boolean
  /** The place of that one, where it is served and counted there as well. */
  readonly toldBy: string | undefined
  /** What was read of the request, once it has been. */
  readonly body: Buffer | undefined
}

export class McpEndpoint {
  readonly #options: EndpointOptions
  readonly #keepAlive = new KeepAlive()
  readonly #legacy: LegacyEndpoint
  readonly #modern: ModernEndpoint

  constructor(options: EndpointOptions) {
    this.#options = options
    this.#legacy = new LegacyEndpoint(options, this.#keepAlive)
    this.#modern = new ModernEndpoint(options, this.#keepAlive)
  }

  /** Answers one request, whatever it is. `given`: by another process. Never rejects. */
  handle(
    request: IncomingMessage,
    response: ServerResponse,
    name: string,
    principal: Principal,
    given?: { readonly toldBy: string | undefined },
  ): Promise<void> {
    const { elsewhere, onInternalError, serverOf } = this.#options
    return answering(response, onInternalError, () => {
      if (given !== undefined && request.method === SERVES) {
        return elsewhere?.hearWhereabouts({ request, response })
      }
      const server = serverOf(name)
      if (server === undefined) return this.#below(request, response, name, principal)
      const isGiven = given !== undefined
      // In one piece: V8 looked each member of one that was put together of two up anew for each call.
      const visit: Visit = {
        request,
        response,
        server,
        name,
        principal,
        isGiven,
        toldBy: given?.toldBy,
        body: undefined,
      }
      if (server.foreignTaker !== undefined && !looksLikeMcp(request)) {
        return this.#passOn(visit, '')
      }
      if (isGiven && request.method === SAY) return this.#legacy.say(visit)
      switch (request.method) {
        case 'POST':
          return this.#post(visit)
        case 'GET':
          return this.#legacy.get(visit)
        case 'DELETE':
          return this.#legacy.delete(visit)
        default:
          throw new RefusedError(405, 'use POST, GET or DELETE', {
            headers: { allow: 'POST, GET, DELETE' },
          })
      }
    })
  }

  /** Streams that are open for what belongs to no call. */
  get streams(): number {
    return this.#legacy.streams + this.#modern.listens
  }

  /** The process is about to end: streams belong elsewhere from now on. */
  drain(): void {
    this.#legacy.drain()
    this.#modern.drain()
  }

  close(): void {
    this.#keepAlive.close()
  }

  async #post(visit: Visit): Promise<void> {
    const { request, server, name } = visit
    requireContentType(request)
    const { bodyLimits, overload } = this.#options
    const body = await readBody(request, bodyLimits.atPath(name), overload)
    let messages: ReturnType<typeof messagesIn>
    try {
      messages = messagesIn(body)
    } catch (error) {
      if (server.foreignTaker === undefined) throw error
      return this.#passOn(visit, '', body)
    }
    requireAccept(request, 'application/json', 'text/event-stream')
    const bytes = body.length
    if (isBatch(messages)) return this.#several(messages, visit, bytes)
    const taken = this.#options.elsewhere?.take(messages, { ...visit, body })
    if (taken === undefined || !(await taken)) await this.#single(messages, visit, bytes)
  }

  async #single(message: Message, visit: Visit, bytes: number): Promise<void> {
    const { request, response, server, principal } = visit
    const { observe, bodyLimits } = this.#options
    let observation: RequestObserver | undefined
    if (message.kind === 'request') {
      const isTold = visit.toldBy !== undefined
      observation = isTold ? UNOBSERVED : observe(message, request, server, principal, bytes)
    }
    try {
      requireRoom(bodyLimits, server, message, bytes)
      const version = request.headers['mcp-protocol-version']
      const kind = classify(message, typeof version === 'string' ? version : undefined)
      if (observation === undefined || message.kind !== 'request') {
        // A notification of the modern era says nothing that we act on.
        if (kind !== 'modern') this.#legacy.hear(message, visit)
        response.writeHead(202).end()
      } else if (kind === 'legacy') this.#legacy.request(message, visit, observation)
      else if (kind === 'modern') await this.#modern.handle(message, visit, observation)
      else await this.#legacy.initialize(message, visit, observation)
    } catch (error) {
      noteRefusal(error, observation)
      throw error
    }
  }

  #several(
    messages: readonly (Message | InvalidMessageError)[],
    visit: Visit,
    bytes: number,
  ): void {
    const { request, server, principal } = visit
    const { observe, bodyLimits } = this.#options
    // What is refused for its length is none of the requests in it.
    const observed = (messages.length <= MAX_BATCH ? messages : []).map((message) =>
      message instanceof InvalidMessageError || message.kind !== 'request'
        ? undefined
        : observe(message, request, server, principal, undefined),
    )
    try {
      requireRoom(bodyLimits, server, messages, bytes)
      this.#legacy.batch(messages, visit, observed)
    } catch (error) {
      for (const observation of observed) noteRefusal(error, observation)
      throw error
    }
  }

  /** What is behind a server's own path is that server's, where it takes what is not MCP. */
  #below(
    request: IncomingMessage,
    response: ServerResponse,
    path: string,
    principal: Principal,
  ): Promise<void> {
    const [, name = '', rest = ''] = /^([^/]*)(\/.*)$/s.exec(path) ?? []
    return this.#passOn({ request, response, name, principal }, rest)
  }

  /** @throws RefusedError 404 where the server does not take it; as `passThrough` */
  async #passOn(
    {
      request,
      response,
      name,
      principal,
    }: Pick<Visit, 'request' | 'response' | 'name' | 'principal'>,
    path: string,
    body?: Buffer,
  ): Promise<void> {
    const { serverOf, termsFor, bodyLimits, overload, variants } = this.#options
    const asker = { principal, request, client: { name: '', version: '' } }
    const server = name === '' ? undefined : serverOf(name)
    const taker = server?.with(variants.forRequest(asker, '', EMPTY_OBJECT)).foreignTaker
    if (taker === undefined) throw new RefusedError(404, 'there is no MCP server at this path')
    const terms = termsFor(asker)
    await passThrough(request, response, taker, path, terms, bodyLimits.of(name), overload, body)
  }
}
