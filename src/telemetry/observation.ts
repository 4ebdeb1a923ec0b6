/**
 * One request of a client's while it is answered. It hears where the call goes, how long servers have it, and what
 * is answered, and makes the record of it (`operations.ts`). There is one for each request, so it must cost little.
 */
import type { IncomingMessage } from 'node:http'
import type {
  Asking,
  CallWatcher,
  Era,
  JsonObject,
  MessageText,
  RawObject,
  RequestMessage,
  Target,
  TraceContext,
} from '../../backends/index.js'
import { byteLengthOf, CallCancelledError } from '../../backends/index.js'
import type { Permit, VirtualServer } from '../../federation/index.js'
import { UnknownItemError } from '../../federation/index.js'
import { shownAttributes } from '../attributes/attributes.js'
import type { Principal } from '../auth/principal.js'
import type { Operation, Operations, Outcome } from './operations.js'
import type { RemoteContexts } from './trace-context.js'
import { remoteContexts } from './trace-context.js'
import type { ServerTrace, Tracing } from './tracing.js'
import type { UpstreamOperation } from './upstream-operation.js'
import { upstreamErrorType } from './upstream-operation.js'

/** Longer names and URIs are nothing that anybody looks for. */
const MAX_NAME = 256

/** What all requests of a gateway share. */
export interface Observatory {
  readonly operations: Operations
  /** Absent where nobody is told of traces; what clients say of theirs goes on to servers all the same. */
  readonly tracing: Tracing | undefined
  /** As it is now. */
  readonly allowsBaggage: () => boolean
  readonly attributesOf: (method: string, params: JsonObject, target: string) => JsonObject
  readonly addressOf: (request: IncomingMessage) => string
  readonly onUpstream: (operation: UpstreamOperation) => void
}

/** Who speaks, and how. */
export interface Speaker {
  readonly era: Era
  readonly protocolVersion: string
  readonly client: { readonly name: string; readonly version: string }
  /** A hash of the session's id; '' without one. */
  readonly session: string
}

/** On what terms they are served. */
export interface SpokenTerms {
  readonly permit: Permit | undefined
  readonly address: string
}

const UNKNOWN: Speaker = {
  era: 'legacy',
  protocolVersion: '',
  client: { name: '', version: '' },
  session: '',
}

/** What hears of a request from its reading to its answer. */
export interface RequestObserver {
  /** Goes along with the call. */
  readonly watcher: CallWatcher | undefined
  /** It is known by now who speaks, what they may see, and by what they are served, where that is not all that there is. */
  spokenBy(speaker: Speaker, terms?: SpokenTerms, server?: VirtualServer): void
  /** It was beyond a limit, whatever is answered. */
  limited(): void
  /** A result goes to the client; `answer` is all of it. */
  succeeded(answer: MessageText): void
  /** An error goes to the client, with this code; nothing, where the client has given the request up. */
  failed(error: unknown, rpcCode: number, text: string): void
  /** The request was turned away with an HTTP status. */
  refused(status: number, rpcCode: number): void
}

/** For requests of which nobody hears. */
export const UNOBSERVED: RequestObserver = {
  watcher: undefined,
  spokenBy: () => undefined,
  limited: () => undefined,
  succeeded: () => undefined,
  failed: () => undefined,
  refused: () => undefined,
}

export class Observation implements RequestObserver, CallWatcher {
  readonly #observatory: Observatory
  readonly #message: RequestMessage
  readonly #request: IncomingMessage
  #server: VirtualServer
  readonly #principal: Principal
  readonly #bytes: number | undefined
  readonly #at = Date.now()
  readonly #startedAt = performance.now()
  readonly #remote: RemoteContexts | undefined
  readonly #trace: ServerTrace | undefined
  #speaker = UNKNOWN
  #terms: SpokenTerms | undefined
  #upstreamMs = 0
  #target = ''
  #variant = ''
  #isLimited = false
  #isToolError = false
  #isOver = false

  constructor(
    observatory: Observatory,
    message: RequestMessage,
    request: IncomingMessage,
    server: VirtualServer,
    principal: Principal,
    bytes: number | undefined,
  ) {
    this.#bytes = bytes
    this.#observatory = observatory
    this.#message = message
    this.#request = request
    this.#server = server
    this.#principal = principal
    const { tracing } = observatory
    this.#remote = remoteContexts(
      message.params.value,
      request.headers,
      observatory.allowsBaggage(),
    )
    this.#trace = tracing?.begin(message, this.#remote)
  }

  get watcher(): CallWatcher {
    return this
  }

  spokenBy(speaker: Speaker, terms?: SpokenTerms, server = this.#server): void {
    this.#speaker = speaker
    this.#terms = terms
    this.#server = server
  }

  limited(): void {
    this.#isLimited = true
  }

  asks(target: Target, protocolVersion: string, { method, params }: RequestText): Asking {
    this.#target = target.name
    this.#variant = target.variant ?? ''
    const trace = this.#trace?.beginUpstream(target, protocolVersion, method, params)
    return new UpstreamAsking(this, target, protocolVersion, method, params, trace)
  }

  /** What servers are told of the trace where we have no part in it. */
  get remoteTrace(): TraceContext | undefined {
    return this.#remote?.parent
  }

  /** A server is done with the call. */
  asked(operation: UpstreamOperation): void {
    this.#upstreamMs += operation.durationMs
    this.#isToolError = operation.errorType === 'tool_error'
    this.#observatory.onUpstream(operation)
  }

  succeeded(answer: MessageText): void {
    const errorType = this.#isToolError || this.#isLimited ? 'tool_error' : ''
    this.#end(errorType === '' ? 'ok' : 'failed', errorType, answer)
  }

  failed(error: unknown, rpcCode: number, text: string): void {
    if (error instanceof CallCancelledError) return this.#end('cancelled', String(rpcCode), '')
    const isDenied = error instanceof UnknownItemError && error.isDenied
    this.#end(isDenied ? 'denied' : 'failed', String(rpcCode), text)
  }

  refused(status: number, rpcCode: number): void {
    this.#end(status === 401 || status === 403 ? 'denied' : 'failed', String(rpcCode), '')
  }

  #end(outcome: Outcome, errorType: string, answer: MessageText): void {
    if (this.#isOver) return
    this.#isOver = true
    const { method, params, id } = this.#message
    const { operations, attributesOf, addressOf } = this.#observatory
    const item = this.#server.itemOf(method, params.value, this.#terms?.permit)
    const target = item?.target ?? this.#target
    const { era, protocolVersion, client, session } = this.#speaker
    const operation: Operation = {
      at: this.#at,
      durationMs: performance.now() - this.#startedAt,
      upstreamMs: this.#upstreamMs,
      method: cut(method),
      name: item === undefined ? '' : cut(item.name),
      isKnownName: item?.isKnown === true,
      target,
      variant: this.#variant,
      outcome: this.#isLimited ? 'limited' : outcome,
      errorType,
      era,
      protocolVersion,
      session,
      principal: shownPrincipal(this.#principal),
      client,
      address: this.#terms?.address ?? addressOf(this.#request),
      // Of a batch, each has its own part.
      bytesIn: this.#bytes ?? Buffer.byteLength(params.text),
      bytesOut: byteLengthOf(answer),
      traceId: this.#trace?.traceId ?? this.#remote?.parent.traceId ?? '',
      spanId: this.#trace?.spanId ?? '',
      attributes: shownAttributes(attributesOf(method, params.value, target)),
    }
    this.#trace?.end(operation, id)
    operations.record(operation)
  }
}

type RequestText = Parameters<CallWatcher['asks']>[2]

/** The request that a server has now. */
class UpstreamAsking implements Asking {
  readonly trace: TraceContext | undefined
  readonly #observation: Observation
  readonly #startedAt = performance.now()
  readonly #target: Target
  readonly #protocolVersion: string
  readonly #method: string
  readonly #params: RawObject
  readonly #own: ReturnType<ServerTrace['beginUpstream']> | undefined

  constructor(
    observation: Observation,
    target: Target,
    protocolVersion: string,
    method: string,
    params: RawObject,
    own: ReturnType<ServerTrace['beginUpstream']> | undefined,
  ) {
    this.#observation = observation
    this.#target = target
    this.#protocolVersion = protocolVersion
    this.#method = method
    this.#params = params
    this.#own = own
    this.trace = own?.trace ?? observation.remoteTrace
  }

  answered(result: RawObject): void {
    this.#end(result.value['isError'] === true ? 'tool_error' : '', result)
  }

  failed(error: unknown): void {
    this.#end(upstreamErrorType(error), undefined)
  }

  #end(errorType: string, result: RawObject | undefined): void {
    const { name } = this.#params.value
    const operation: UpstreamOperation = {
      target: this.#target,
      protocolVersion: this.#protocolVersion,
      method: this.#method,
      name: typeof name === 'string' ? cut(name) : '',
      durationMs: performance.now() - this.#startedAt,
      errorType,
    }
    this.#own?.end(operation, result)
    this.#observation.asked(operation)
  }
}

const shownPrincipals = new WeakMap<Principal, Operation['principal']>()

/** Without its claims, which are nobody's to see. */
function shownPrincipal(principal: Principal): Operation['principal'] {
  const known = shownPrincipals.get(principal)
  if (known !== undefined) return known
  const { id, kind, name } = principal
  const shown = { id, kind, name: cut(name) }
  shownPrincipals.set(principal, shown)
  return shown
}

/** A part of a long string would keep all of it in memory. */
function cut(text: string): string {
  return text.length <= MAX_NAME ? text : Buffer.from(text.slice(0, MAX_NAME)).toString()
}
