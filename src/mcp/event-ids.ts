/**
 * Ids of events of a session's streams, as a client names the last one that it saw. Any process reads in them what a
 * stream carries, so that one that does not hold the stream can say what has become of it.
 *
 *     <12 hex digits: process and session>[@<process>]-<stream>[.<base64url of the calls' ids>].<place>[~<times sent on>]
 *
 * The process, where others reach it, is sealed. Nothing else is trusted: whoever makes an id up is told, at most, that
 * calls of its own are lost.
 */
import { randomBytes } from 'node:crypto'
import type { RequestId } from '../../backends/index.js'

const PATTERN =
  /^(([0-9a-f]{12}(?:@([A-Za-z0-9_-]{1,400}))?)-\d{1,15}(?:\.([A-Za-z][A-Za-z0-9_-]{0,199}))?)\.(\d{1,15})(?:~(\d{1,2}))?$/
/** Ids travel in a header; what is longer is not named. */
const MAX_CALLS_CHARS = 200
/** In place of calls that are not named. */
const UNNAMED = 'x'

export interface EventId {
  /** The name of the stream. */
  readonly stream: string
  /** What the names of all streams begin with that one process keeps for the session. */
  readonly keeper: string
  /** Where that process is reached, sealed; `undefined` where it is reached by nobody. */
  readonly sealedPlace: string | undefined
  /** The calls that the stream answers; empty where they are not named, `undefined` for a general stream. */
  readonly calls: readonly RequestId[] | undefined
  /** The place of the event in the stream. */
  readonly sequence: number
  /** How often a process that does not hold the stream has sent the client on. */
  readonly timesSentOn: number
}

/** `sealedPlace`: where other processes reach this one. */
export function newKeeper(sealedPlace: string | undefined): string {
  const name = randomBytes(6).toString('hex')
  return sealedPlace === undefined ? name : `${name}@${sealedPlace}`
}

/** `calls` are those that the stream answers; absent for a general stream. */
export function streamName(
  keeper: string,
  number: number,
  calls: readonly RequestId[] | undefined,
): string {
  if (calls === undefined) return `${keeper}-${number}`
  const encoded = Buffer.from(JSON.stringify(calls)).toString('base64url')
  return `${keeper}-${number}.${encoded.length > MAX_CALLS_CHARS ? UNNAMED : encoded}`
}

export function eventIdOf(stream: string, sequence: number, timesSentOn = 0): string {
  return `${stream}.${sequence}${timesSentOn === 0 ? '' : `~${timesSentOn}`}`
}

/** `undefined` for what is no id of ours. */
export function readEventId(text: string): EventId | undefined {
  const [, stream, keeper, sealedPlace, calls, sequence, timesSentOn = '0'] =
    PATTERN.exec(text) ?? []
  if (stream === undefined || keeper === undefined) return undefined
  return {
    stream,
    keeper,
    sealedPlace,
    calls: calls === undefined ? undefined : callsIn(calls),
    sequence: Number(sequence),
    timesSentOn: Number(timesSentOn),
  }
}

function callsIn(encoded: string): readonly RequestId[] {
  if (encoded === UNNAMED) return []
  try {
    const value: unknown = JSON.parse(Buffer.from(encoded, 'base64url').toString('utf8'))
    if (!Array.isArray(value)) return []
    return value.filter((id) => typeof id === 'string' || typeof id === 'number')
  } catch {
    // Made up by whoever sent it.
    return []
  }
}
