/**
 * One line for each request, as JSON; its arguments and results are nobody's to read here. Most of a line is that of many
 * others, and printed once: a line made whole took longer than the metrics of a request.
 */
import type { Operation } from './operations.js'
import { safeLine } from './safe-line.js'
import { TupleCache } from './tuple-cache.js'

/** As pino numbers `info`. */
const INFO = 30
/** Parts of lines that are kept; then all are forgotten, as what clients make up must not fill memory. */
const MAX_PARTS = 1_000

const speakers = new TupleCache<string>(MAX_PARTS)
const requests = new TupleCache<string>(MAX_PARTS)
let timeAt = 0
let time = ''

/** The line, without its end. What is empty is left out. */
export function accessLine(operation: Operation): string {
  const { at, durationMs, upstreamMs, traceId, spanId, bytesIn, bytesOut, attributes } = operation
  if (at !== timeAt) {
    timeAt = at
    time = new Date(at).toISOString()
  }
  // Both are hex, or empty.
  const trace = traceId === '' ? '' : `,"traceId":"${traceId}"`
  const span = spanId === '' ? '' : `,"spanId":"${spanId}"`
  return (
    `{"level":${INFO},"time":"${time}"${trace}${span},${whoOf(operation)},${whatOf(operation)}` +
    `,"durationMs":${textOf(durationMs)},"upstreamMs":${textOf(upstreamMs)}` +
    `,"bytesIn":${bytesIn},"bytesOut":${bytesOut},"attributes":${attributesText(attributes)}` +
    `,"msg":"request"}`
  )
}

/** Names of tools and the like, for which JSON has no other form. */
const PLAIN = /^[\w./:-]*$/

function attributesText(attributes: Operation['attributes']): string {
  const { name } = attributes
  // Of most requests it is the only one.
  for (const key in attributes) {
    if (key !== 'name') return safeLine(JSON.stringify(attributes))
  }
  return typeof name === 'string' && PLAIN.test(name)
    ? `{"name":"${name}"}`
    : safeLine(JSON.stringify(attributes))
}

function whoOf({ session, principal, client, address, era, protocolVersion }: Operation): string {
  const { name, version } = client
  const { id } = principal
  const known = speakers.get(session, id, address, name, version, protocolVersion)
  if (known !== undefined) return known
  const text = membersOf({
    session: optional(session),
    principal: id,
    who: principal.name,
    client: name === '' ? undefined : `${name}/${version}`,
    address,
    era,
    protocolVersion: optional(protocolVersion),
  })
  return speakers.set(text, session, id, address, name, version, protocolVersion)
}

function whatOf({ method, target, variant, name, outcome, errorType }: Operation): string {
  const known = requests.get(name, method, target, outcome, errorType, variant)
  if (known !== undefined) return known
  const text = membersOf({
    method,
    target: optional(target),
    variant: optional(variant),
    name: optional(name),
    outcome,
    errorType: optional(errorType),
  })
  return requests.set(text, name, method, target, outcome, errorType, variant)
}

/** The members as JSON, without their braces. */
function membersOf(members: object): string {
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
