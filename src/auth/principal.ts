/** Who calls. A principal's id goes into all that is sealed for it, so that nobody else can use it. */
import { createHash } from 'node:crypto'
import type { JsonObject } from '../../backends/index.js'
import { ANONYMOUS } from '../../backends/index.js'

export interface Principal {
  /** The same for the same caller, in every process; short, and without anything secret in it. */
  readonly id: string
  readonly kind: 'anonymous' | 'jwt' | 'apiKey' | 'certificate'
  /** For people: a token's subject, a key's name, a certificate's. */
  readonly name: string
  /** What the token, or the configuration of the key, says of it. */
  readonly claims: JsonObject
}

/** A principal of its own: whoever shows nothing. */
export const NOBODY: Principal = { id: ANONYMOUS, kind: 'anonymous', name: ANONYMOUS, claims: {} }

/** `parts` tell this principal from all others of its kind. */
export function principalOf(
  kind: 'jwt' | 'apiKey' | 'certificate',
  parts: readonly string[],
  name: string,
  claims: JsonObject,
): Principal {
  const digest = createHash('sha256').update(JSON.stringify(parts)).digest('base64url')
  return { id: `${kind}:${digest.slice(0, 22)}`, kind, name, claims }
}
