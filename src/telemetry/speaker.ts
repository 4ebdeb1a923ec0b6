/** Who speaks, and how: of a session the same one for all of its requests. */
import type { Era } from '../../backends/index.js'
import type { KnownParty } from './operation-kind.js'

export class Speaker {
  readonly era: Era
  readonly protocolVersion: string
  readonly client: { readonly name: string; readonly version: string }
  /** A hash of the session's id; '' without one. */
  readonly session: string
  /** As which it was known last. */
  party: KnownParty | undefined

  constructor(era: Era, protocolVersion: string, client: Speaker['client'], session = '') {
    this.era = era
    this.protocolVersion = protocolVersion
    this.client = client
    this.session = session
    this.party = undefined
  }
}

/** Of a request that has not been understood yet. */
export function unknownSpeaker(): Speaker {
  return new Speaker('legacy', '', { name: '', version: '' })
}
