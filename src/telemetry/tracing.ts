/**
 * Spans: SERVER for each request of a client's, CLIENT for each server that is asked in the course of it. Whether a
 * request is sampled is decided before anything is made for it: most are not.
 */
import type { Attributes } from '@opentelemetry/api'
import { SpanKind } from '@opentelemetry/api'
import type { Resource } from '@opentelemetry/resources'
import type { SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace-base'
import { BatchSpanProcessor, RandomIdGenerator } from '@opentelemetry/sdk-trace-base'
import type { JsonValue, RawObject, RequestId, TraceContext } from '../../backends/index.js'
import { VERSION } from '../version.js'
import type { Operation } from './operations.js'
import type { TraceSettings } from './settings.js'
import { spanContent } from './span-content.js'
import { serverAttributes, upstreamAttributes } from './span-attributes.js'
import type { SpanContent, SpanIdentity, SpanOrigin, SpanTimes } from './spans.js'
import { FinishedSpan } from './spans.js'
import type { RemoteContext, RemoteContexts } from './trace-context.js'
import { traceparentOf } from './trace-context.js'
import type { UpstreamWords } from './operation-kind.js'

/** Takes a span that is over; `describe` is called when it is sent. */
type EndSpan = (identity: SpanIdentity, times: SpanTimes, describe: () => SpanContent) => void

/** Makes what spans show of arguments and results; absent where they show none. */
type Content = ((value: JsonValue | undefined) => string) | undefined

type Asked = UpstreamWords & { readonly durationMs: number }

const ids = new RandomIdGenerator()

export class Tracing {
  readonly #origin: SpanOrigin
  readonly #processor: SpanProcessor
  readonly #shown: (value: JsonValue | undefined) => string
  #settings: TraceSettings

  /** `redact` knows the secrets of the configuration. */
  constructor(
    exporter: SpanExporter,
    resource: Resource,
    settings: TraceSettings,
    redact: (text: string) => string,
  ) {
    this.#settings = settings
    this.#shown = (value) => spanContent(value, redact)
    this.#origin = { resource, instrumentationScope: { name: 'mcp-junction', version: VERSION } }
    this.#processor = new BatchSpanProcessor(exporter)
  }

  /** For requests to come. */
  update(settings: TraceSettings): void {
    this.#settings = settings
  }

  /**
   * `undefined` where the request is not sampled: then we have no part in its trace, and nothing is made for it. Servers
   * are told what the client said, or nothing. `epoch` is when `performance.now` was 0.
   */
  begin(remote: RemoteContexts | undefined, epoch: number): ServerTrace | undefined {
    if (!isSampled(this.#settings, remote?.parent)) return undefined
    const content = this.#settings.content ? this.#shown : undefined
    return new ServerTrace(remote, epoch, content, this.#end)
  }

  readonly #end: EndSpan = (identity, times, describe) => {
    this.#processor.onEnd(new FinishedSpan(this.#origin, identity, times, describe))
  }

  /** Sends what has not been sent. */
  async close(): Promise<void> {
    await this.#processor.shutdown()
  }
}

/** The part of a trace that one request is. */
export class ServerTrace {
  readonly traceId: string
  readonly spanId = ids.generateSpanId()
  readonly #remote: RemoteContexts | undefined
  readonly #epoch: number
  readonly #content: Content
  readonly #end: EndSpan

  constructor(remote: RemoteContexts | undefined, epoch: number, content: Content, end: EndSpan) {
    this.traceId = remote?.parent.traceId ?? ids.generateTraceId()
    this.#remote = remote
    this.#epoch = epoch
    this.#content = content
    this.#end = end
  }

  beginUpstream(): UpstreamTrace {
    const { tracestate, baggage } = this.#remote?.parent ?? {}
    const identity: SpanIdentity = {
      kind: SpanKind.CLIENT,
      traceId: this.traceId,
      spanId: ids.generateSpanId(),
      tracestate,
      parentSpanId: this.spanId,
      other: undefined,
    }
    return new UpstreamTrace(identity, baggage, this.#epoch, this.#content, this.#end)
  }

  end(operation: Operation, id: RequestId): void {
    const { parent, other } = this.#remote ?? {}
    const identity: SpanIdentity = {
      kind: SpanKind.SERVER,
      traceId: this.traceId,
      spanId: this.spanId,
      tracestate: parent?.tracestate,
      parentSpanId: parent?.spanId ?? '',
      other,
    }
    const { at: startedAt, durationMs, kind } = operation
    const { method, name, isKnownName, errorType } = kind
    // What clients make up is in no list that anybody goes through.
    const isNamed = isKnownName && !method.startsWith('resources/')
    this.#end(identity, { startedAt, durationMs }, () => ({
      name: isNamed ? `${method} ${name}` : method,
      attributes: serverAttributes(operation, id),
      isError: errorType !== '',
    }))
  }
}

export class UpstreamTrace {
  /** What the server is told. */
  readonly trace: TraceContext
  readonly #identity: SpanIdentity
  readonly #epoch: number
  readonly #content: Content
  readonly #end: EndSpan
  #shown: Attributes = {}

  constructor(
    identity: SpanIdentity,
    baggage: string | undefined,
    epoch: number,
    content: Content,
    end: EndSpan,
  ) {
    const { traceId, spanId, tracestate } = identity
    this.trace = { traceparent: traceparentOf(traceId, spanId, true), tracestate, baggage }
    this.#identity = identity
    this.#epoch = epoch
    this.#content = content
    this.#end = end
  }

  /** What was asked and answered may be shown, if settings say so. */
  exchanged(method: string, params: RawObject, result: RawObject | undefined): void {
    if (this.#content === undefined || method !== 'tools/call') return
    this.#shown = {
      'gen_ai.tool.call.arguments': this.#content(params.value['arguments']),
      ...(result && { 'gen_ai.tool.call.result': this.#content(result.value) }),
    }
  }

  /** `startedAt` as `performance.now` has it. */
  end(asked: Asked, startedAt: number): void {
    const { target, protocolVersion, method, name, errorType, durationMs } = asked
    const shown = this.#shown
    this.#end(this.#identity, { startedAt: this.#epoch + startedAt, durationMs }, () => ({
      name: name === '' ? method : `${method} ${name}`,
      attributes: {
        ...upstreamAttributes(target, protocolVersion, method, name),
        ...shown,
        ...(errorType === '' ? {} : { 'error.type': errorType }),
      },
      isError: errorType !== '',
    }))
  }
}

/** Where a caller has decided, the parts of one trace should not be torn apart, unless settings say so. */
function isSampled(
  { ratio, parentBased }: TraceSettings,
  parent: RemoteContext | undefined,
): boolean {
  if (parent === undefined) return Math.random() < ratio
  if (parentBased) return parent.isSampled
  // The random part of the id, so that all who sample at this ratio choose the same traces.
  return Number.parseInt(parent.traceId.slice(-13), 16) / 16 ** 13 < ratio
}
