/** The part of a request that one server has, from its asking to its answer. */
import type { Asking, RawObject, Target, TraceContext } from '../../backends/index.js'
import type { UpstreamTrace } from './tracing.js'
import { cut, upstreamErrorType } from './upstream-operation.js'

/** Whoever has the request of the client's. */
export interface AskingListener {
  /** What servers are told of the trace where we have no part in it. */
  readonly remoteTrace: TraceContext | undefined
  /** The server is done with the request. */
  asked(asking: UpstreamAsking): void
}

/** The request that a server has now, and what came of it. It holds on to the whole request, so records must not keep it. */
export class UpstreamAsking implements Asking {
  readonly trace: TraceContext | undefined
  readonly target: Target
  readonly protocolVersion: string
  readonly method: string
  durationMs = 0
  errorType = ''
  readonly #listener: AskingListener
  readonly #params: RawObject
  readonly #own: UpstreamTrace | undefined
  readonly #startedAt = performance.now()

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

  answered(result: RawObject): void {
    this.#end(result.value['isError'] === true ? 'tool_error' : '', result)
  }

  failed(error: unknown): void {
    this.#end(upstreamErrorType(error), undefined)
  }

  #end(errorType: string, result: RawObject | undefined): void {
    this.durationMs = performance.now() - this.#startedAt
    this.errorType = errorType
    this.#own?.exchanged(this.method, this.#params, result)
    this.#own?.end(this, this.#startedAt)
    this.#listener.asked(this)
  }
}
