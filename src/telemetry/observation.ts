/**
 * One request of a client's while it is answered. It hears where the call goes, how long servers have it, and what
 * is answered, and makes the record of it (`operations.ts`). There is one for each request, so it must cost little.
 */
import type { IncomingMessage } from 'node:http'
import type {
  Asking,
  CallWatcher,
  JsonObject,
  MessageText,
  RequestMessage,
  Target,
  TraceContext,
} from '../../backends/index.js'
import { byteLengthOf, CallCancelledError } from '../../backends/index.js'
import type { Permit, VirtualServer } from '../../federation/index.js'
import { UnknownItemError } from '../../federation/index.js'
import type { ShownAttributes } from '../attributes/attributes.js'
import type { Principal } from '../auth/principal.js'
import type { OperationKinds, Outcome } from './operation-kind.js'
import type { Operations } from './operations.js'
import type { Speaker } from './speaker.js'
import { unknownSpeaker } from './speaker.js'
import type { RemoteContexts } from './trace-context.js'
import { remoteContexts } from './trace-context.js'
import type { ServerTrace, Tracing } from './tracing.js'
import type { AskingListener } from './upstream-asking.js'
import { UpstreamAsking } from './upstream-asking.js'
import { cut } from './upstream-operation.js'

type Requested = Parameters<CallWatcher['asks']>[2]

/** What all requests of a gateway share. */
export interface Observatory {
  readonly operations: Operations
  readonly kinds: OperationKinds
  /** Absent where nobody is told of traces; what clients say of theirs goes on to servers all the same. */
  readonly tracing: Tracing | undefined
  /** As it is now. */
  readonly allowsBaggage: () => boolean
  readonly attributesOf: (method: string, params: JsonObject, target: string) => ShownAttributes
  readonly addressOf: (request: IncomingMessage) => string
  /** Told of a fault of ours, of which the caller must not hear. */
  readonly onError: (error: unknown) => void
}

/** On what terms they are served. */
export interface SpokenTerms {
  readonly permit: Permit | undefined
  readonly address: string
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

export class Observation implements RequestObserver, CallWatcher, AskingListener {
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
  #speaker: Speaker | undefined
  #terms: SpokenTerms | undefined
  #upstreamMs = 0
  #target: Target | undefined
  /** The first server that is done; of most requests it is the only one. */
  #asked: UpstreamAsking | undefined
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
    this.#remote = remoteContexts(message.params.value, request.headers, observatory.allowsBaggage)
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
    this.#target = target
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
    if (this.#asked === undefined && !this.#isOver) this.#asked = asking
    else this.#recordUpstream(asking)
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
    try {
      this.#record(this.#isLimited ? 'limited' : outcome, errorType, answer)
    } catch (error) {
      this.#observatory.onError(error)
    }
  }

  /** Makes the record now, while all that it is made of is at hand: kept for later, that would outlive many calls. */
  #record(outcome: Outcome, errorType: string, answer: MessageText): void {
    const durationMs = performance.now() - this.#startedAt
    const { operations, kinds, addressOf, attributesOf } = this.#observatory
    const { method, params, id } = this.#message
    const item = this.#server.itemOf(method, params.value, this.#terms?.permit)
    const target = item?.target ?? this.#target?.name ?? ''
    const asked = this.#asked
    // A connection that has been closed has none.
    const address = this.#terms?.address ?? addressOf(this.#request)
    const speaker = (this.#speaker ??= unknownSpeaker())
    const kind = kinds.of(kinds.partyOf(speaker, this.#principal, address), {
      method: cut(method),
      name: item === undefined ? '' : cut(item.name),
      isKnownName: item?.isKnown === true,
      target,
      variant: this.#target?.variant ?? '',
      outcome,
      errorType,
    })
    const operation = {
      kind,
      at: this.#at,
      durationMs,
      upstreamMs: this.#upstreamMs,
      upstream: asked && {
        kind: kinds.upstreamOf(asked, kind),
        durationMs: asked.durationMs,
      },
      session: speaker.session,
      // Of a batch, each has its own part.
      bytesIn: this.#bytes ?? Buffer.byteLength(params.text),
      bytesOut: byteLengthOf(answer),
      traceId: this.#trace?.traceId ?? this.#remote?.parent.traceId ?? '',
      spanId: this.#trace?.spanId ?? '',
      attributes: attributesOf(method, params.value, target),
    }
    operations.record(operation)
    this.#trace?.end(operation, id)
  }

  #recordUpstream(asking: UpstreamAsking): void {
    const { operations, kinds } = this.#observatory
    operations.recordUpstream({ kind: kinds.upstreamOf(asking), durationMs: asking.durationMs })
  }
}
