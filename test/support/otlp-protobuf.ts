/** Reads spans from OTLP protobuf (opentelemetry/proto/trace/v1/trace.proto): as much of the format as there is in it. */
import type { CollectedSpan } from './collector.js'

interface Field {
  readonly number: number
  readonly bytes: Buffer
  readonly varint: number
}

export function protobufSpans(body: Buffer): readonly CollectedSpan[] {
  // ExportTraceServiceRequest.resource_spans, ResourceSpans.scope_spans, ScopeSpans.spans
  return all(body, 1)
    .flatMap((it) => all(it, 2))
    .flatMap((it) => all(it, 2))
    .map(spanOf)
}

function spanOf(span: Buffer): CollectedSpan {
  return {
    traceId: one(span, 1).toString('hex'),
    spanId: one(span, 2).toString('hex'),
    parentSpanId: one(span, 4).toString('hex'),
    name: one(span, 5).toString(),
    kind: fieldsOf(span).find((it) => it.number === 6)?.varint ?? 0,
    attributes: Object.fromEntries(
      all(span, 9).map((it) => [one(it, 1).toString(), valueOf(one(it, 2))]),
    ),
    links: all(span, 13).map((it) => one(it, 2).toString('hex')),
    tracestate: one(span, 3).toString(),
    startedAt: millisOf(one(span, 7).readBigUInt64LE()),
    endedAt: millisOf(one(span, 8).readBigUInt64LE()),
    status: fieldsOf(one(span, 15)).find((it) => it.number === 3)?.varint ?? 0,
  }
}

export function millisOf(nanos: bigint): number {
  return Number(nanos) / 1e6
}

/** Of `AnyValue`, text, truth and numbers. */
function valueOf(value: Buffer): unknown {
  const [field] = fieldsOf(value)
  if (field?.number === 1) return field.bytes.toString()
  return field?.number === 4 ? field.bytes.readDoubleLE() : field?.varint
}

function all(message: Buffer, number: number): readonly Buffer[] {
  return fieldsOf(message).flatMap((it) => (it.number === number ? [it.bytes] : []))
}

function one(message: Buffer, number: number): Buffer {
  return all(message, number)[0] ?? Buffer.alloc(0)
}

function fieldsOf(message: Buffer): readonly Field[] {
  const fields: Field[] = []
  let at = 0
  const readVarint = (): number => {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = message[at++] ?? 0
      value += (byte & 127) * factor
      if (byte < 128) return value
    }
  }
  while (at < message.length) {
    const tag = readVarint()
    const number = tag >>> 3
    const wireType = tag & 7
    let varint = 0
    let length = 0
    if (wireType === 0) varint = readVarint()
    else if (wireType === 1) length = 8
    else if (wireType === 5) length = 4
    else length = readVarint()
    fields.push({ number, varint, bytes: message.subarray(at, at + length) })
    at += length
  }
  return fields
}
