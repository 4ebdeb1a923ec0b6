/**
 * Who sends a request, by what it shows: a token of an issuer, or a key. Checked on every request, sessions or not;
 * what is shown is never kept, and never goes to a server.
 */
import type { JWTPayload, JWTVerifyGetKey, JWTVerifyOptions, JWTVerifyResult } from 'jose'
import { decodeJwt, errors, jwtVerify } from 'jose'
import { LRUCache } from 'lru-cache'
import { hash, timingSafeEqual } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { JsonObject } from '../../backends/index.js'
import { certificatePrincipal } from './certificates.js'
import { Jwks } from './jwks.js'
import type { Principal } from './principal.js'
import { NOBODY, principalOf } from './principal.js'
import type { ApiKeySettings, AuthenticationSettings, IssuerSettings } from './settings.js'

/** What was shown is not good, or nothing was. */
export class UnauthenticatedError extends Error {
  readonly code = 'ERR_UNAUTHENTICATED'
  /** `missing`: nothing was shown; `unavailable`: it cannot be checked now; `malformed`: it is not to be shown so. */
  readonly reason: 'missing' | 'invalid' | 'malformed' | 'unavailable'

  constructor(reason: UnauthenticatedError['reason'], message: string) {
    super(message)
    this.reason = reason
  }
}

/** A verified token is believed for so long without another look, and never beyond its own end. */
const BELIEVED_MS = 60_000
const MAX_BELIEVED = 10_000
/** Longer ones are no tokens: half of what Node takes of headers in all. */
const MAX_TOKEN = 8_192
const TOKEN = /^[\x21-\x7e]+$/

/** One server of many that has an address of its own: a token for that alone is good there, and nowhere else. */
export interface Part {
  readonly resource: string
  /** The address of all. Where tokens are accepted for that, they are for its parts. */
  readonly whole: string
}

interface Issuer {
  readonly settings: IssuerSettings
  readonly jwks: Jwks
}

export class Authenticator {
  readonly #settings: AuthenticationSettings
  readonly #issuers: ReadonlyMap<string, Issuer>
  readonly #keys: readonly { readonly digest: Buffer; readonly principal: Principal }[]
  readonly #believed = new LRUCache<string, Principal>({ max: MAX_BELIEVED })

  constructor(settings: AuthenticationSettings) {
    this.#settings = settings
    this.#issuers = new Map(
      settings.jwt.map((it) => [it.issuer, { settings: it, jwks: new Jwks(it.jwks) }]),
    )
    this.#keys = settings.apiKeys.map((it) => ({
      digest: digestOf(it),
      principal: principalOf('apiKey', [it.name], it.name, it.claims as JsonObject),
    }))
  }

  /** Who it is where nobody is asked. */
  get anonymous(): Principal {
    return NOBODY
  }

  /** At once for those who are known already. @throws UnauthenticatedError, at once or in the promise */
  authenticate(request: IncomingMessage, part?: Part): Principal | Promise<Principal> {
    const shown = shownBy(request)
    if (shown === undefined) {
      const known = certificatePrincipal(request)
      if (known !== undefined) return known
      if (this.#settings.mode === 'optional') return NOBODY
      throw new UnauthenticatedError('missing', 'credentials are needed here')
    }
    // What is kept must not be what was shown.
    const digest = hash('sha256', shown, 'base64')
    const owner = this.#keys.length === 0 ? undefined : this.#ofKey(Buffer.from(digest, 'base64'))
    if (owner !== undefined) return owner
    const believed = this.#believed.get(digest) ?? this.#believed.get(atPart(digest, part))
    return believed ?? this.#ofToken(shown, digest, part)
  }

  /** Looks at every key, whichever fits, so that the time it takes says nothing. */
  #ofKey(digest: Buffer): Principal | undefined {
    let found: Principal | undefined
    for (const key of this.#keys) {
      if (timingSafeEqual(key.digest, digest)) found = key.principal
    }
    return found
  }

  async #ofToken(token: string, digest: string, part: Part | undefined): Promise<Principal> {
    const issuer = this.#issuerOf(token)
    if (issuer === undefined) throw invalid()
    const { issuer: name, audiences, algorithms, clockSkew } = issuer.settings
    let claims: JWTPayload
    try {
      claims = await verify(token, issuer.jwks.find, {
        issuer: name,
        audience:
          part && audiences.includes(part.whole) ? [...audiences, part.resource] : audiences,
        algorithms,
        clockTolerance: clockSkew / 1_000,
        requiredClaims: ['exp', 'sub'],
      })
    } catch (error) {
      if (error instanceof errors.JOSEError) throw invalid()
      const message = 'the keys to check tokens with cannot be had; try again'
      throw new UnauthenticatedError('unavailable', message)
    }
    const { sub = '', exp = 0, aud = [] } = claims
    if (sub === '') throw invalid()
    const principal = principalOf('jwt', [name, sub], sub, claims as JsonObject)
    const ttl = Math.min(BELIEVED_MS, exp * 1_000 + clockSkew - Date.now())
    const isForAll = [aud].flat().some((it) => audiences.includes(it))
    if (ttl > 0) this.#believed.set(isForAll ? digest : atPart(digest, part), principal, { ttl })
    return principal
  }

  /** By what the token says of itself, which is checked afterwards. */
  #issuerOf(token: string): Issuer | undefined {
    try {
      return this.#issuers.get(decodeJwt(token).iss ?? '')
    } catch {
      return undefined
    }
  }
}

/** Where a token that is good for a part alone is believed. */
function atPart(digest: string, part: Part | undefined): string {
  return `${digest} ${part?.resource}`
}

async function verify(
  token: string,
  find: JWTVerifyGetKey,
  options: JWTVerifyOptions,
): Promise<JWTPayload> {
  try {
    return (await jwtVerify(token, find, options)).payload
  } catch (error) {
    if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error
    // A token need not name its key, and an issuer may have several.
    for await (const key of error) {
      const verified = await jwtVerify(token, key, options).catch((cause: unknown) => cause)
      if (!(verified instanceof Error)) return (verified as JWTVerifyResult).payload
      if (!(verified instanceof errors.JWSSignatureVerificationFailed)) throw verified
    }
    throw error
  }
}

/** One wording for everything that can be wrong with a token: whoever tries tokens learns nothing. */
function invalid(): UnauthenticatedError {
  return new UnauthenticatedError('invalid', 'the credentials are not valid')
}

/** The credential of a request. @throws UnauthenticatedError for one that is shown in a way that it must not be */
function shownBy({ headers, url = '' }: IncomingMessage): string | undefined {
  // It would be in every log between here and the client (RFC 6750 §2.3, 2025-11-25 basic/authorization).
  if (/[?&](access_token|api_key|apikey|token)=/i.test(url)) {
    throw new UnauthenticatedError('malformed', 'credentials must not stand in the URL')
  }
  const { 'x-api-key': key } = headers
  const bearer = bearerIn(headers)
  if (headers.authorization !== undefined && bearer === undefined) {
    throw new UnauthenticatedError('malformed', 'use "Authorization: Bearer"')
  }
  if (bearer !== undefined && key !== undefined) {
    throw new UnauthenticatedError('malformed', 'show one credential, not two')
  }
  const shown = bearer ?? (typeof key === 'string' ? key : undefined)
  if (shown !== undefined && (shown.length > MAX_TOKEN || !TOKEN.test(shown))) throw invalid()
  return shown
}

/** The token of an `Authorization: Bearer`. */
export function bearerIn({ authorization }: IncomingHttpHeaders): string | undefined {
  if (authorization === undefined) return undefined
  const [scheme] = /^Bearer +/i.exec(authorization) ?? []
  return scheme && authorization.slice(scheme.length)
}

function digestOf({ key, sha256 }: ApiKeySettings): Buffer {
  return sha256 === undefined ? hash('sha256', key ?? '', 'buffer') : Buffer.from(sha256, 'hex')
}
