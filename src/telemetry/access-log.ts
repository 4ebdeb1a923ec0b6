/**
 * One line for each request, as JSON; its arguments and results are nobody's to read here. Most of a line is that of many
 * others, and printed once: a line made whole took longer than the metrics of a request.
 */
import type { Operation } from './operations.js'
import { safeLine } from './safe-line.js'

/** As pino numbers `info`. */
const INFO = 30
/** Parts of lines that are kept; then all are forgotten, as what clients make up must not fill memory. */
const MAX_PARTS = 1_000

const parts = new Map<string, string>()
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
    `,"durationMs":${rounded(durationMs)},"upstreamMs":${rounded(upstreamMs)}` +
    `,"bytesIn":${bytesIn},"bytesOut":${bytesOut},"attributes":${safeLine(JSON.stringify(attributes))}` +
    `,"msg":"request"}`
  )
}

function whoOf({ session, principal, client, address, era, protocolVersion }: Operation): string {
  const { name, version } = client
  const key = `${session}\n${principal.id}\n${address}\n${name}\n${version}\n${protocolVersion}`
  return (
    parts.get(key) ??
    keep(key, {
      session: optional(session),
      principal: principal.id,
      who: principal.name,
      client: name === '' ? undefined : `${name}/${version}`,
      address,
      era,
      protocolVersion: optional(protocolVersion),
    })
  )
}

function whatOf({ method, target, name, outcome, errorType }: Operation): string {
  const key = `${method}\n${target}\n${outcome}\n${errorType}\n${name}`
  return (
    parts.get(key) ??
    keep(key, {
      method,
      target: optional(target),
      name: optional(name),
      outcome,
      errorType: optional(errorType),
    })
  )
}

/** The members as JSON, without their braces. */
function keep(key: string, members: object): string {
  if (parts.size >= MAX_PARTS) parts.clear()
  const text = safeLine(JSON.stringify(members)).slice(1, -1)
  parts.set(key, text)
  return text
}

function optional(text: string): string | undefined {
  return text === '' ? undefined : text
}

function rounded(milliseconds: number): number {
  return Math.round(milliseconds * 1_000) / 1_000
}
