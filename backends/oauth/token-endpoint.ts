/** Tokens of an authorization server, by client credentials (RFC 6749 §4.4) and by exchange (RFC 8693). */
import type { AuthorizationServer, Client, ClientAuth, TokenEndpointResponse } from 'oauth4webapi'
import * as oauth from 'oauth4webapi'
import type { KeyObject } from 'node:crypto'
import { createPrivateKey, webcrypto } from 'node:crypto'
import type { Grant } from './settings.js'

/** Nobody waits longer for a token. */
const TIMEOUT_MS = 10_000
/** Where the server does not say how long a token holds (RFC 6749 §5.1 only recommends it). */
const UNKNOWN_LIFE_MS = 300_000

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'

export interface Token {
  readonly value: string
  /** By `performance.now()`. */
  readonly expiresAt: number
}

/** There is no token; the message says why in words that hold no secret. */
export class NoTokenError extends Error {
  readonly code = 'ERR_NO_TOKEN'
}

export class TokenEndpoint {
  readonly #grant: Grant
  readonly #client: Client
  #server: AuthorizationServer | undefined
  #proof: ClientAuth | undefined

  constructor(grant: Grant) {
    this.#grant = grant
    this.#client = { client_id: grant.clientId }
  }

  /** A token for the caller's (RFC 8693 §2.1), or without one for the gateway itself. @throws NoTokenError */
  async token(subjectToken?: string): Promise<Token> {
    const askedAt = performance.now()
    try {
      const answer = await this.#ask(subjectToken)
      const lifeMs = (answer.expires_in ?? UNKNOWN_LIFE_MS / 1_000) * 1_000
      return { value: answer.access_token, expiresAt: askedAt + lifeMs }
    } catch (error) {
      throw new NoTokenError(`no token is to be had: ${reasonIn(error)}`)
    }
  }

  async #ask(subjectToken: string | undefined): Promise<TokenEndpointResponse> {
    const { scopes, audience, resource } = this.#grant
    const server = (this.#server ??= await this.#discover())
    const proof = (this.#proof ??= await proofOf(this.#grant))
    const parameters = {
      ...(scopes.length === 0 ? {} : { scope: scopes.join(' ') }),
      ...(audience === undefined ? {} : { audience }),
      ...(resource === undefined ? {} : { resource }),
    }
    const options = this.#options(server.token_endpoint)
    if (subjectToken === undefined) {
      const response = await oauth.clientCredentialsGrantRequest(
        server,
        this.#client,
        proof,
        parameters,
        options,
      )
      return oauth.processClientCredentialsResponse(server, this.#client, response)
    }
    const exchange = {
      ...parameters,
      subject_token: subjectToken,
      subject_token_type: ACCESS_TOKEN,
      requested_token_type: ACCESS_TOKEN,
    }
    const response = await oauth.genericTokenEndpointRequest(
      server,
      this.#client,
      proof,
      EXCHANGE,
      exchange,
      options,
    )
    return oauth.processGenericTokenEndpointResponse(server, this.#client, response)
  }

  async #discover(): Promise<AuthorizationServer> {
    const { tokenUrl, issuer = '' } = this.#grant
    if (tokenUrl !== undefined) return { issuer: tokenUrl, token_endpoint: tokenUrl }
    const url = new URL(issuer)
    const [plain, openId] = await Promise.allSettled(
      (['oauth2', 'oidc'] as const).map(async (algorithm) => {
        const response = await oauth.discoveryRequest(url, { ...this.#options(issuer), algorithm })
        return oauth.processDiscoveryResponse(url, response)
      }),
    )
    const found = [plain, openId].find((it) => it?.status === 'fulfilled')
    if (found?.status === 'fulfilled' && found.value.token_endpoint !== undefined) {
      return found.value
    }
    throw new NoTokenError('the metadata of the issuer cannot be read')
  }

  #options(url = ''): { signal: AbortSignal; [oauth.allowInsecureRequests]: boolean } {
    return {
      signal: AbortSignal.timeout(TIMEOUT_MS),
      // Whoever wrote http:// meant it: an authorization server beside the gateway.
      [oauth.allowInsecureRequests]: url.startsWith('http:'),
    }
  }
}

/** How the gateway proves who it is (RFC 6749 §2.3, RFC 7523). */
async function proofOf(grant: Grant): Promise<ClientAuth> {
  const { clientSecret, clientAuth, privateKey, keyId } = grant
  if (clientSecret !== undefined) {
    return clientAuth === 'client_secret_post'
      ? oauth.ClientSecretPost(clientSecret)
      : oauth.ClientSecretBasic(clientSecret)
  }
  const key = await signingKey(privateKey ?? '')
  return oauth.PrivateKeyJwt(keyId === undefined ? { key } : { key, kid: keyId })
}

async function signingKey(pem: string): Promise<webcrypto.CryptoKey> {
  const key = createPrivateKey(pem)
  const pkcs8 = key.export({ type: 'pkcs8', format: 'der' })
  return webcrypto.subtle.importKey('pkcs8', pkcs8, algorithmOf(key), false, ['sign'])
}

const CURVES: Readonly<Record<string, string>> = {
  prime256v1: 'P-256',
  secp384r1: 'P-384',
  secp521r1: 'P-521',
}

function algorithmOf({
  asymmetricKeyType: type,
  asymmetricKeyDetails: details,
}: KeyObject):
  webcrypto.RsaHashedImportParams | webcrypto.EcKeyImportParams | webcrypto.AlgorithmIdentifier {
  if (type === 'ed25519') return { name: 'Ed25519' }
  if (type === 'rsa') return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
  return { name: 'ECDSA', namedCurve: CURVES[details?.namedCurve ?? ''] ?? '' }
}

/** What the server says, as far as it is a word of the specification: its sentences could hold anything. */
function reasonIn(error: unknown): string {
  if (error instanceof NoTokenError) return error.message
  if (error instanceof oauth.ResponseBodyError) {
    return /^[a-z_]{1,64}$/.test(error.error)
      ? `the authorization server says ${error.error}`
      : `the authorization server answered HTTP ${error.status}`
  }
  if (error instanceof oauth.WWWAuthenticateChallengeError) {
    return `the authorization server does not accept the gateway (HTTP ${error.status})`
  }
  if (error instanceof oauth.OperationProcessingError) {
    return 'the authorization server gave no valid answer'
  }
  if (error instanceof DOMException && error.name === 'TimeoutError') {
    return 'the authorization server did not answer in time'
  }
  return 'the authorization server cannot be reached'
}
