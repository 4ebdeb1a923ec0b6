/**
 * W3C trace context as requests bring it: in `_meta` (mcp-protocol.md §7) and in headers of HTTP. `_meta` wins: it is the
 * client's own and goes end to end, while proxies between write the header.
 */
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { JsonObject, RequestMessage, TraceContext } from '../../backends/index.js'
import { isJsonObject } from '../../backends/index.js'

/** Later versions may add parts behind the four of `00`; `ff` is none. */
const TRACEPARENT =
  /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/
/** Printable, on one line, and no longer than the specifications ask anybody to carry on. */
const TRACESTATE = /^[\x20-\x7e]{1,512}$/
const BAGGAGE = /^[\x20-\x7e]{1,8192}$/

export interface RemoteContext extends TraceContext {
  readonly traceId: string
  readonly spanId: string
  readonly isSampled: boolean
}

export interface RemoteContexts {
  /** Whose child our span is. */
  readonly parent: RemoteContext
  /** What the header said, where it was something else. */
  readonly other: RemoteContext | undefined
}

/** Whether a request says anything of a trace. */
export function hasTrace({ params }: RequestMessage, { headers }: IncomingMessage): boolean {
  const meta = params.value['_meta']
  return (
    headers['traceparent'] !== undefined ||
    (isJsonObject(meta) && meta['traceparent'] !== undefined)
  )
}

/** What a request says of its trace; `undefined` where that is nothing, or nothing valid. */
export function remoteContexts(
  params: JsonObject,
  headers: IncomingHttpHeaders,
  allowsBaggage: () => boolean,
): RemoteContexts | undefined {
  const meta = params['_meta']
  const traceparent = headers['traceparent']
  // Most say nothing.
  if (meta === undefined && traceparent === undefined) return undefined
  const isBaggageAllowed = allowsBaggage()
  const inMeta = isJsonObject(meta) ? contextOf(meta, isBaggageAllowed) : undefined
  const { tracestate, baggage } = headers
  const inHeader =
    traceparent === undefined
      ? undefined
      : contextOf({ traceparent, tracestate, baggage }, isBaggageAllowed)
  if (inMeta === undefined) return inHeader && { parent: inHeader, other: undefined }
  const isSame = inHeader === undefined || inHeader.traceparent === inMeta.traceparent
  return { parent: inMeta, other: isSame ? undefined : inHeader }
}

/** The text of a `traceparent` of ours. */
export function traceparentOf(traceId: string, spanId: string, isSampled: boolean): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`
}

function contextOf(
  { traceparent, tracestate, baggage }: Readonly<Record<string, unknown>>,
  isBaggageAllowed: boolean,
): RemoteContext | undefined {
  if (typeof traceparent !== 'string' || traceparent.length > 128) return undefined
  const [, traceId, spanId, flags] = TRACEPARENT.exec(traceparent) ?? []
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined
  if (traceparent.startsWith('00') && traceparent.length !== 55) return undefined
  const isSampled = (parseInt(flags, 16) & 1) === 1
  return {
    traceId,
    spanId,
    isSampled,
    traceparent: traceparentOf(traceId, spanId, isSampled),
    tracestate: textOf(tracestate, TRACESTATE),
    baggage: isBaggageAllowed ? textOf(baggage, BAGGAGE) : undefined,
  }
}

function textOf(value: unknown, form: RegExp): string | undefined {
  return typeof value === 'string' && form.test(value) ? value : undefined
}
