/** The part of a request that one server has, from its asking to its answer. */
import type { Asking, RawObject, Target, TraceContext } from '../../backends/index.js'
import type { Remaining } from './afterwards.js'
import type { UpstreamTrace } from './tracing.js'
import type { UpstreamOperation } from './upstream-operation.js'
import { cut, upstreamErrorType } from './upstream-operation.js'

/** Whoever has the request of the client's. */
export interface AskingListener {
  /** What servers are told of the trace where we have no part in it. */
  readonly remoteTrace: TraceContext | undefined
  /** The server is done with the request; `finish` is left to do. */
  asked(asking: UpstreamAsking): void
  /** What came of it is to be recorded. */
  onUpstream(operation: UpstreamOperation): void
}

/** The request that a server has now, and what is known of it afterwards. */
export class UpstreamAsking implements Asking, UpstreamOperation, Remaining {
  readonly trace: TraceContext | undefined
  readonly target: Target
  readonly protocolVersion: string
  readonly method: string
  readonly #listener: AskingListener
  readonly #startedAt = performance.now()
  readonly #params: RawObject
  readonly #own: UpstreamTrace | undefined
  #durationMs = 0
  #errorType = ''

  constructor(
    listener: AskingListener,
    target: Target,
    protocolVersion: string,
    method: string,
    params: RawObject,
    own: UpstreamTrace | undefined,
  ) {
    this.#listener = listener
    this.target = target
    this.protocolVersion = protocolVersion
    this.method = method
    this.#params = params
    this.#own = own
    this.trace = own?.trace ?? listener.remoteTrace
  }

  get name(): string {
    const { name } = this.#params.value
    return typeof name === 'string' ? cut(name) : ''
  }

  get durationMs(): number {
    return this.#durationMs
  }

  get errorType(): string {
    return this.#errorType
  }

  answered(result: RawObject): void {
    this.#end(result.value['isError'] === true ? 'tool_error' : '', result)
  }

  failed(error: unknown): void {
    this.#end(upstreamErrorType(error), undefined)
  }

  finish(): void {
    this.#own?.end(this, this.#startedAt)
    this.#listener.onUpstream(this)
  }

  #end(errorType: string, result: RawObject | undefined): void {
    this.#durationMs = performance.now() - this.#startedAt
    this.#errorType = errorType
    this.#own?.exchanged(this.method, this.#params, result)
    this.#listener.asked(this)
  }
}
