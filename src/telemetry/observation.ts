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
  RequestMessage,
  Target,
  TraceContext,
} from '../../backends/index.js'
import { byteLengthOf, CallCancelledError } from '../../backends/index.js'
import type { Permit, VirtualServer } from '../../federation/index.js'
import { UnknownItemError } from '../../federation/index.js'
import { shownAttributes } from '../attributes/attributes.js'
import type { Principal } from '../auth/principal.js'
import type { Afterwards, Remaining } from './afterwards.js'
import type { Operation, Operations, Outcome } from './operations.js'
import type { RemoteContexts } from './trace-context.js'
import { remoteContexts } from './trace-context.js'
import type { ServerTrace, Tracing } from './tracing.js'
import type { AskingListener } from './upstream-asking.js'
import { UpstreamAsking } from './upstream-asking.js'
import type { UpstreamOperation } from './upstream-operation.js'
import { cut } from './upstream-operation.js'

type Requested = Parameters<CallWatcher['asks']>[2]

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
  readonly afterwards: Afterwards
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

export class Observation implements RequestObserver, CallWatcher, AskingListener, Remaining {
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
  #outcome: Outcome = 'ok'
  #errorType = ''
  #durationMs = 0
  #address = ''
  #bytesOut = 0

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
    this.#trace = tracing?.begin(this.#remote, this.#at - this.#startedAt)
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

  asks(target: Target, protocolVersion: string, { method, params }: Requested): Asking {
    this.#target = target.name
    this.#variant = target.variant ?? ''
    const trace = this.#trace?.beginUpstream()
    return new UpstreamAsking(this, target, protocolVersion, method, params, trace)
  }

  /** What servers are told of the trace where we have no part in it. */
  get remoteTrace(): TraceContext | undefined {
    return this.#remote?.parent
  }

  /** A server is done with the call. */
  asked(asking: UpstreamAsking): void {
    this.#upstreamMs += asking.durationMs
    this.#isToolError = asking.errorType === 'tool_error'
    this.#observatory.afterwards.add(asking)
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

  onUpstream(operation: UpstreamOperation): void {
    this.#observatory.onUpstream(operation)
  }

  /** Makes the record, once the answer is on its way. */
  finish(): void {
    const operation = this.#operation()
    this.#observatory.operations.record(operation)
    this.#trace?.end(operation, this.#message.id)
  }

  #end(outcome: Outcome, errorType: string, answer: MessageText): void {
    if (this.#isOver) return
    this.#isOver = true
    const { addressOf, afterwards } = this.#observatory
    this.#durationMs = performance.now() - this.#startedAt
    this.#outcome = this.#isLimited ? 'limited' : outcome
    this.#errorType = errorType
    this.#bytesOut = byteLengthOf(answer)
    // A connection that has been closed has none.
    this.#address = this.#terms?.address ?? addressOf(this.#request)
    afterwards.add(this)
  }

  #operation(): Operation {
    const { method, params } = this.#message
    const item = this.#server.itemOf(method, params.value, this.#terms?.permit)
    const target = item?.target ?? this.#target
    const { era, protocolVersion, client, session } = this.#speaker
    return {
      at: this.#at,
      durationMs: this.#durationMs,
      upstreamMs: this.#upstreamMs,
      method: cut(method),
      name: item === undefined ? '' : cut(item.name),
      isKnownName: item?.isKnown === true,
      target,
      variant: this.#variant,
      outcome: this.#outcome,
      errorType: this.#errorType,
      era,
      protocolVersion,
      session,
      principal: shownPrincipal(this.#principal),
      client,
      address: this.#address,
      // Of a batch, each has its own part.
      bytesIn: this.#bytes ?? Buffer.byteLength(params.text),
      bytesOut: this.#bytesOut,
      traceId: this.#trace?.traceId ?? this.#remote?.parent.traceId ?? '',
      spanId: this.#trace?.spanId ?? '',
      attributes: shownAttributes(this.#observatory.attributesOf(method, params.value, target)),
    }
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
