/**
 * One line for each request, as JSON; its arguments and results are nobody's to read here. Most of a line is that of many
 * others, and printed once: a line made whole took longer than the metrics of a request.
 */
import type { ShownAttributes } from '../attributes/attributes.js'
import type { OperationKind } from './operation-kind.js'
import { Facet } from './operation-kind.js'
import type { Operation } from './operations.js'
import { safeLine } from './safe-line.js'

/** As pino numbers `info`. */
const INFO = 30

/** What lines of one kind of operation have in common, and what the last one had. */
interface Texts {
  readonly kind: string
  attributes: ShownAttributes | undefined
  attributesText: string
}

const texts = new Facet<Texts>((kind) => ({
  kind: kindText(kind),
  attributes: undefined,
  attributesText: '',
}))
let timeAt = 0
let time = ''

/** The line, without its end. What is empty is left out. */
export function accessLine(operation: Operation): string {
  const { at, durationMs, upstreamMs, traceId, spanId, session, bytesIn, bytesOut } = operation
  const { attributes } = operation
  if (at !== timeAt) {
    timeAt = at
    time = new Date(at).toISOString()
  }
  const text = texts.of(operation.kind)
  if (text.attributes !== attributes) {
    text.attributes = attributes
    text.attributesText = safeLine(JSON.stringify(attributes))
  }
  // All three are hex, or empty.
  const trace = traceId === '' ? '' : `,"traceId":"${traceId}"`
  const span = spanId === '' ? '' : `,"spanId":"${spanId}"`
  const of = session === '' ? '' : `,"session":"${session}"`
  return (
    `{"level":${INFO},"time":"${time}"${trace}${span}${of},${text.kind}` +
    `,"durationMs":${textOf(durationMs)},"upstreamMs":${textOf(upstreamMs)}` +
    `,"bytesIn":${bytesIn},"bytesOut":${bytesOut},"attributes":${text.attributesText}` +
    `,"msg":"request"}`
  )
}

/** Members as JSON, without their braces. */
function kindText(kind: OperationKind): string {
  const { principal, client, address, era, protocolVersion } = kind
  const { method, target, variant, name, outcome, errorType } = kind
  const members = {
    principal: principal.id,
    who: principal.name,
    client: client.name === '' ? undefined : `${client.name}/${client.version}`,
    address,
    era,
    protocolVersion: optional(protocolVersion),
    method,
    target: optional(target),
    variant: optional(variant),
    name: optional(name),
    outcome,
    errorType: optional(errorType),
  }
  return safeLine(JSON.stringify(members)).slice(1, -1)
}

function optional(text: string): string | undefined {
  return text === '' ? undefined : text
}

const FRACTIONS = Array.from({ length: 1_000 }, (_, micros) => String(micros / 1_000).slice(1))

/** With microseconds. V8 remembers the text of every fraction that it prints, in old space; small whole numbers are few. */
function textOf(milliseconds: number): string {
  const micros = Math.round(milliseconds * 1_000)
  const whole = Math.trunc(micros / 1_000)
  return `${whole}${FRACTIONS[micros - whole * 1_000] ?? ''}`
}
