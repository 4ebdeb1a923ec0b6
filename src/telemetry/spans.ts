/**
 * Spans as exporters read them. What they show is made as they are sent, of records that are there anyway: a call that is
 * sampled waits for nothing but its ids.
 */
import type { Attributes, HrTime, Link, SpanContext, SpanStatus } from '@opentelemetry/api'
import { createTraceState, SpanKind, SpanStatusCode, TraceFlags } from '@opentelemetry/api'
import type { Resource } from '@opentelemetry/resources'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base'
import type { RemoteContext } from './trace-context.js'

/** Whose they are: the same for all of a gateway. */
export interface SpanOrigin {
  readonly resource: Resource
  readonly instrumentationScope: ReadableSpan['instrumentationScope']
}

/** What makes one part of a trace that part. */
export interface SpanIdentity {
  readonly kind: SpanKind
  readonly traceId: string
  readonly spanId: string
  readonly tracestate: string | undefined
  /** '' for the first of a trace. */
  readonly parentSpanId: string
  /** Another trace that says it is the same request's. */
  readonly other: RemoteContext | undefined
}

export interface SpanTimes {
  /** Milliseconds since the epoch, with fractions. */
  readonly startedAt: number
  readonly durationMs: number
}

/** What came of it. */
export interface SpanContent {
  readonly name: string
  readonly attributes: Attributes
  readonly isError: boolean
}

/** A span that is over. */
export class FinishedSpan implements ReadableSpan {
  readonly ended = true
  readonly events = []
  readonly droppedAttributesCount = 0
  readonly droppedEventsCount = 0
  readonly droppedLinksCount = 0
  readonly parentSpanContext?: SpanContext
  readonly #origin: SpanOrigin
  readonly #identity: SpanIdentity
  readonly #times: SpanTimes
  readonly #describe: () => SpanContent
  #made: SpanContent | undefined

  /** `describe` is called when it is sent, once. */
  constructor(
    origin: SpanOrigin,
    identity: SpanIdentity,
    times: SpanTimes,
    describe: () => SpanContent,
  ) {
    this.#origin = origin
    this.#identity = identity
    this.#times = times
    this.#describe = describe
    const { kind, traceId, parentSpanId } = identity
    if (parentSpanId !== '') {
      const parent = contextOf(traceId, parentSpanId, true, undefined)
      // What a client asks for began elsewhere; what a server is asked for began here.
      this.parentSpanContext = { ...parent, isRemote: kind === SpanKind.SERVER }
    }
  }

  get resource(): Resource {
    return this.#origin.resource
  }

  get instrumentationScope(): ReadableSpan['instrumentationScope'] {
    return this.#origin.instrumentationScope
  }

  get kind(): SpanKind {
    return this.#identity.kind
  }

  spanContext(): SpanContext {
    const { traceId, spanId, tracestate } = this.#identity
    return contextOf(traceId, spanId, true, tracestate)
  }

  get links(): Link[] {
    const { other } = this.#identity
    if (other === undefined) return []
    const { traceId, spanId, isSampled, tracestate } = other
    return [{ context: { ...contextOf(traceId, spanId, isSampled, tracestate), isRemote: true } }]
  }

  get startTime(): HrTime {
    return hrTimeOf(this.#times.startedAt)
  }

  get endTime(): HrTime {
    return hrTimeOf(this.#times.startedAt + this.#times.durationMs)
  }

  get duration(): HrTime {
    return hrTimeOf(this.#times.durationMs)
  }

  get name(): string {
    return this.#content.name
  }

  get attributes(): Attributes {
    return this.#content.attributes
  }

  get status(): SpanStatus {
    return { code: this.#content.isError ? SpanStatusCode.ERROR : SpanStatusCode.UNSET }
  }

  get #content(): SpanContent {
    return (this.#made ??= this.#describe())
  }
}

function contextOf(
  traceId: string,
  spanId: string,
  isSampled: boolean,
  tracestate: string | undefined,
): SpanContext {
  const traceFlags = isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE
  if (tracestate === undefined) return { traceId, spanId, traceFlags }
  return { traceId, spanId, traceFlags, traceState: createTraceState(tracestate) }
}

/** Seconds and nanoseconds. The milliseconds are precise to some 0.25 µs, as a double of that size is. */
function hrTimeOf(milliseconds: number): HrTime {
  const seconds = Math.trunc(milliseconds / 1_000)
  return [seconds, Math.round((milliseconds - seconds * 1_000) * 1_000_000)]
}
