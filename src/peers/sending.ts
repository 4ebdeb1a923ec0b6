/** One request to another process: sent, taken there, and answered, each in its time. */
import type { IncomingMessage } from 'node:http'
import type { Agent } from 'node:https'
import { request as httpsRequest } from 'node:https'
import type { TLSSocket } from 'node:tls'

/** Peers are near. Those that are gone for good often say nothing at all. */
const CONNECT_MS = 1_000
/** A process that is well says at once that it has a request; the system takes it for one that stands still, too. */
const TAKEN_MS = 5_000
/** More than two signs of life of a stream; a call that takes longer than the first of them is a stream. */
const SILENT_MS = 40_000

export interface Sent {
  readonly method: string
  readonly path: string
  readonly signal: AbortSignal
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer | undefined
}

interface Fate {
  /** The other may have seen the request, and done what it says. */
  readonly wasSent: boolean
  /** Nothing is to be had from that process, for a while at least. */
  readonly isGone: boolean
  /** The connection had been kept for too long: over another it may go well. */
  readonly isStale: boolean
}

export class PeerUnreachableError extends Error {
  readonly code = 'ERR_PEER_UNREACHABLE'
  readonly fate: Fate

  constructor(fate: Partial<Fate> = {}, cause?: unknown) {
    super('the process that this belongs to cannot be reached', { cause })
    this.fate = { wasSent: false, isGone: false, isStale: false, ...fate }
  }
}

/**
 * Resolves with the head of the answer.
 * @throws PeerUnreachableError, or what `signal` says
 */
export function send(place: string, sent: Sent, agent: Agent): Promise<IncomingMessage> {
  const { body, ...options } = sent
  const { hostname, port } = new URL(`https://${place}`)
  return new Promise((resolve, reject) => {
    let step: 'connecting' | 'sent' | 'taken' = 'connecting'
    let isLate = false
    const outgoing = httpsRequest({
      ...options,
      hostname: hostname.replace(/^\[(.*)\]$/, '$1'),
      port,
      agent,
    })
    const tooLate = (): void => {
      isLate = true
      outgoing.destroy(new Error('it takes too long'))
    }
    let late = setTimeout(tooLate, CONNECT_MS)
    const connected = (): void => {
      step = 'sent'
      clearTimeout(late)
      late = setTimeout(tooLate, TAKEN_MS)
    }
    const taken = (): void => {
      step = 'taken'
      clearTimeout(late)
    }
    outgoing.setTimeout(SILENT_MS, tooLate)
    outgoing.once('socket', (socket) => {
      if (outgoing.reusedSocket) connected()
      else (socket as TLSSocket).once('secureConnect', connected)
    })
    outgoing.once('information', taken)
    outgoing.once('response', (answer) => {
      taken()
      resolve(answer)
    })
    // Also of what breaks off later, as whoever reads the answer sees.
    outgoing.on('error', (error) => {
      clearTimeout(late)
      if (options.signal.aborted) return reject(error)
      const fate: Fate = {
        // It says that it has the request before it looks into it.
        wasSent: step === 'taken' || (step === 'sent' && isLate),
        isGone: step === 'connecting' || (step === 'sent' && isLate),
        isStale: step === 'sent' && !isLate && outgoing.reusedSocket,
      }
      reject(new PeerUnreachableError(fate, error))
    })
    outgoing.end(body)
  })
}
