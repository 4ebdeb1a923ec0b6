/** Where a request came from: the connection that it came over, or, of one that another process gave us, came over there. */
import type { IncomingMessage } from 'node:http'
import type { TLSSocket } from 'node:tls'

export interface Origin {
  readonly address: string
  readonly isEncrypted: boolean
}

/** Of what no client sent. */
export const NOWHERE: Origin = { address: '', isEncrypted: false }

const GIVEN = Symbol('origin')

type Given = IncomingMessage & { [GIVEN]?: Origin }

export function originOf(request: IncomingMessage): Origin {
  const given = (request as Given)[GIVEN]
  if (given !== undefined) return given
  const { remoteAddress = '', encrypted } = request.socket as Partial<TLSSocket>
  return { address: remoteAddress, isEncrypted: encrypted === true }
}

/** The address alone, as each request is asked for it. */
export function remoteAddressOf(request: IncomingMessage): string {
  return (request as Given)[GIVEN]?.address ?? request.socket.remoteAddress ?? ''
}

/** From now on the request came from there. */
export function giveOrigin(request: IncomingMessage, origin: Origin): void {
  ;(request as Given)[GIVEN] = origin
}
