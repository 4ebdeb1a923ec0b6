/**
 * Spans: SERVER for each request of a client's, CLIENT for each server that is asked in the course of it. Whether a
 * request is sampled is decided before anything of OpenTelemetry's is made for it: most are not.
 */
import type { Attributes, Link, Span, Tracer } from '@opentelemetry/api'
import {
  createTraceState,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace as api,
} from '@opentelemetry/api'
import type { Resource } from '@opentelemetry/resources'
import type { SpanExporter } from '@opentelemetry/sdk-trace-base'
import {
  AlwaysOnSampler,
  BasicTracerProvider,
  BatchSpanProcessor,
} from '@opentelemetry/sdk-trace-base'
import type {
  JsonValue,
  RawObject,
  RequestId,
  RequestMessage,
  Target,
  TraceContext,
} from '../../backends/index.js'
import { VERSION } from '../version.js'
import type { Operation } from './operations.js'
import type { TraceSettings } from './settings.js'
import { spanContent } from './span-content.js'
import { serverAttributes, upstreamAttributes } from './span-attributes.js'
import type { RemoteContext, RemoteContexts } from './trace-context.js'
import { traceparentOf } from './trace-context.js'
import type { UpstreamOperation } from './upstream-operation.js'

/** Makes what spans show of arguments and results; absent where they show none. */
type Content = ((value: JsonValue | undefined) => string) | undefined

export class Tracing {
  readonly #provider: BasicTracerProvider
  readonly #tracer: Tracer
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
    this.#provider = new BasicTracerProvider({
      resource,
      // Nothing comes here that has not been chosen.
      sampler: new AlwaysOnSampler(),
      spanProcessors: [new BatchSpanProcessor(exporter)],
    })
    this.#tracer = this.#provider.getTracer('mcp-junction', VERSION)
  }

  /** For requests to come. */
  update(settings: TraceSettings): void {
    this.#settings = settings
  }

  /**
   * `undefined` where the request is not sampled: then we have no part in its trace, and nothing is made for it. Servers
   * are told what the client said, or nothing.
   */
  begin({ method }: RequestMessage, remote: RemoteContexts | undefined): ServerTrace | undefined {
    const parent = remote?.parent
    if (!isSampled(this.#settings, parent)) return undefined
    const other = remote?.other
    const links: Link[] = other === undefined ? [] : [{ context: spanContextOf(other) }]
    const context =
      parent === undefined ? ROOT_CONTEXT : api.setSpanContext(ROOT_CONTEXT, spanContextOf(parent))
    const span = this.#tracer.startSpan(method, { kind: SpanKind.SERVER, links }, context)
    return new ServerTrace(parent, span, this.#tracer, this.#content())
  }

  #content(): Content {
    return this.#settings.content ? this.#shown : undefined
  }

  /** Sends what has not been sent. */
  async close(): Promise<void> {
    await this.#provider.shutdown()
  }
}

/** The part of a trace that one request is. */
export class ServerTrace {
  readonly traceId: string
  readonly spanId: string
  readonly #parent: RemoteContext | undefined
  readonly #span: Span
  readonly #tracer: Tracer
  readonly #content: Content

  constructor(parent: RemoteContext | undefined, span: Span, tracer: Tracer, content: Content) {
    this.#parent = parent
    this.#span = span
    this.#tracer = tracer
    this.#content = content
    const own = span.spanContext()
    this.traceId = own.traceId
    this.spanId = own.spanId
  }

  beginUpstream(
    target: Target,
    protocolVersion: string,
    method: string,
    params: RawObject,
  ): UpstreamTrace {
    const { tracestate, baggage } = this.#parent ?? {}
    const attributes: Attributes = upstreamAttributes(target, protocolVersion, method)
    if (this.#content !== undefined && method === 'tools/call') {
      attributes['gen_ai.tool.call.arguments'] = this.#content(params.value['arguments'])
    }
    const context = api.setSpan(ROOT_CONTEXT, this.#span)
    const span = this.#tracer.startSpan(method, { kind: SpanKind.CLIENT, attributes }, context)
    const traceparent = traceparentOf(this.traceId, span.spanContext().spanId, true)
    return new UpstreamTrace({ traceparent, tracestate, baggage }, span, this.#content)
  }

  end(operation: Operation, id: RequestId): void {
    const span = this.#span
    const { method, name, isKnownName, errorType } = operation
    // What clients make up is in no list that anybody goes through.
    if (isKnownName && !method.startsWith('resources/')) span.updateName(`${method} ${name}`)
    span.setAttributes(serverAttributes(operation, id))
    if (errorType !== '') span.setStatus({ code: SpanStatusCode.ERROR })
    span.end()
  }
}

export class UpstreamTrace {
  readonly trace: TraceContext
  readonly #span: Span
  readonly #content: Content

  constructor(trace: TraceContext, span: Span, content: Content) {
    this.trace = trace
    this.#span = span
    this.#content = content
  }

  end({ method, name, errorType }: UpstreamOperation, result: RawObject | undefined): void {
    const span = this.#span
    if (name !== '') {
      span.updateName(`${method} ${name}`)
      span.setAttribute(method === 'prompts/get' ? 'gen_ai.prompt.name' : 'gen_ai.tool.name', name)
    }
    if (result !== undefined && this.#content !== undefined && method === 'tools/call') {
      span.setAttribute('gen_ai.tool.call.result', this.#content(result.value))
    }
    if (errorType !== '') {
      span.setAttribute('error.type', errorType)
      span.setStatus({ code: SpanStatusCode.ERROR })
    }
    span.end()
  }
}

function spanContextOf({ traceId, spanId, isSampled: sampled, tracestate }: RemoteContext) {
  return {
    traceId,
    spanId,
    traceFlags: sampled ? 1 : 0,
    isRemote: true,
    ...(tracestate === undefined ? {} : { traceState: createTraceState(tracestate) }),
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
