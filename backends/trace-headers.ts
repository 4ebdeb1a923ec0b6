/** Trace context on its way to a server: in `_meta`, which reaches servers over any transport, and in headers of HTTP. */
import type { Call, TraceContext } from './call.js'
import type { RawObject } from './wire/raw-json.js'
import { RawJson, withMeta } from './wire/raw-json.js'

/** The call as the server gets it. What it said of a trace before was of another hop. */
export function tracedCall(call: Call, trace: TraceContext | undefined): Call {
  if (trace === undefined) return call
  const { params } = call
  const hasMeta = params.value['_meta'] !== undefined
  return { ...call, params: hasMeta ? changedMeta(params, trace) : addedMeta(params, trace), trace }
}

function changedMeta(params: RawObject, trace: TraceContext): RawObject {
  const { traceparent, tracestate, baggage } = trace
  return withMeta(params, {
    traceparent: JSON.stringify(traceparent),
    tracestate: tracestate === undefined ? undefined : JSON.stringify(tracestate),
    baggage: baggage === undefined ? undefined : JSON.stringify(baggage),
  })
}

/** The usual case, without looking for members and without reading the result anew. */
function addedMeta({ text, value }: RawObject, trace: TraceContext): RawObject {
  const { traceparent, tracestate, baggage } = trace
  let members = `"traceparent":"${traceparent}"`
  if (tracestate !== undefined) members += `,"tracestate":${JSON.stringify(tracestate)}`
  if (baggage !== undefined) members += `,"baggage":${JSON.stringify(baggage)}`
  const end = text.lastIndexOf('}')
  const comma = isEmpty(value) ? '' : ','
  const meta = {
    traceparent,
    ...(tracestate === undefined ? {} : { tracestate }),
    ...(baggage === undefined ? {} : { baggage }),
  }
  return RawJson.fromText(`${text.slice(0, end)}${comma}"_meta":{${members}}}`, {
    ...value,
    _meta: meta,
  })
}

function isEmpty(value: object): boolean {
  for (const _ in value) return false
  return true
}

/** `headers` with those of the trace; what a client sent under these names was of another hop. */
export function withTraceHeaders(
  headers: Readonly<Record<string, string>> | undefined,
  trace: TraceContext | undefined,
): Readonly<Record<string, string>> | undefined {
  if (trace === undefined) return headers
  const { traceparent, tracestate, baggage } = trace
  const traced: Record<string, string> = headers === undefined ? {} : { ...headers }
  traced['traceparent'] = traceparent
  if (tracestate !== undefined) traced['tracestate'] = tracestate
  if (baggage !== undefined) traced['baggage'] = baggage
  return traced
}
