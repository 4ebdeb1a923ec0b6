/** The token that a caller showed, for the servers that are called on its account, and for no others. */
import type { IncomingHttpHeaders } from 'node:http'
import type { SubjectToken } from '../../backends/index.js'
import { bearerIn } from './authenticator.js'
import type { Principal } from './principal.js'

/** `undefined` for whoever is known by something else. */
export function subjectOf(
  { kind, claims }: Principal,
  headers: IncomingHttpHeaders,
): SubjectToken | undefined {
  const token = kind === 'jwt' ? bearerIn(headers) : undefined
  if (token === undefined) return undefined
  const { aud, exp } = claims
  const audiences = (Array.isArray(aud) ? aud : [aud]).filter((it) => typeof it === 'string')
  return { token, audiences, expiresAt: typeof exp === 'number' ? exp * 1_000 : 0 }
}
