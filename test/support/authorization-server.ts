/**
 * A real authorization server: `oidc-provider` proves its clients and gives tokens for client credentials. Exchange
 * (RFC 8693), which it lets others add, trusts the subject tokens of one issuer.
 */
import type { JWTPayload } from 'jose'
import {
  createRemoteJWKSet,
  exportJWK,
  exportPKCS8,
  generateKeyPair,
  jwtVerify,
  SignJWT,
} from 'jose'
import type { Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { AdapterConstructor } from 'oidc-provider'
import { Provider } from 'oidc-provider'
// @ts-expect-error: it has no types
import MemoryAdapter from 'oidc-provider/lib/adapters/memory_adapter.js'

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'

/** Without one of ours, each server would warn that it keeps nothing. */
class Memory extends (MemoryAdapter as AdapterConstructor) {}

/** Whatever it signs by itself. */
const signing = await generateKeyPair('RS256', { extractable: true })
const SIGNING_KEY = { ...(await exportJWK(signing.privateKey)), alg: 'RS256', use: 'sig' }

export const CLIENT_SECRET = 'the-secret-of-the-gateway-0001'

export interface AuthorizationServerOptions {
  /** Whose tokens are exchanged. */
  readonly issuer?: string
  /** Seconds that tokens hold. */
  readonly life?: number
}

export class AuthorizationServer implements AsyncDisposable {
  /** Every token that was given, the last one last. */
  readonly given: string[] = []
  /** Parameters of every request for a token. */
  readonly asked: URLSearchParams[] = []
  /** Refuses with this error, and says aloud what it was shown. */
  refusal: string | undefined
  /** Holds answers back until it resolves. */
  hold: Promise<void> | undefined
  /** Requests for tokens that are under way. */
  waiting = 0
  readonly #http: Server
  readonly #revoked = new Set<string>()

  private constructor(http: Server) {
    this.#http = http
  }

  static async start(
    { issuer, life = 300 }: AuthorizationServerOptions = {},
    publicKey?: object,
  ): Promise<AuthorizationServer> {
    const http = createServer()
    const server = new AuthorizationServer(http)
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
    const provider = server.#provider(life, issuer !== undefined, publicKey)
    if (issuer !== undefined) server.#addExchange(provider, issuer, life)
    const answer = provider.callback()
    http.on('request', (request, response) => {
      const isToken = request.url === '/token'
      void (async () => {
        server.waiting += isToken ? 1 : 0
        if (isToken) await server.hold
        server.waiting -= isToken ? 1 : 0
        if (!isToken || server.refusal === undefined) return answer(request, response)
        response.writeHead(400, { 'content-type': 'application/json' })
        const [, shown = ''] = request.headers.authorization?.split(' ') ?? []
        const error_description = Buffer.from(shown, 'base64').toString()
        response.end(JSON.stringify({ error: server.refusal, error_description }))
      })()
    })
    return server
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`
  }

  get tokenUrl(): string {
    return `${this.url}/token`
  }

  /** Whether a server of its should believe this `Authorization`. */
  believes(authorization: string | undefined): boolean {
    const token = /^Bearer (.+)$/.exec(authorization ?? '')?.[1] ?? ''
    return this.given.includes(token) && !this.#revoked.has(token)
  }

  /** No token given so far is good any more. */
  revoke(): void {
    for (const token of this.given) this.#revoked.add(token)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#http.closeAllConnections()
    await new Promise((resolve) => this.#http.close(resolve))
  }

  #provider(life: number, hasExchange: boolean, publicKey: object | undefined): Provider {
    const common = {
      grant_types: ['client_credentials', ...(hasExchange ? [EXCHANGE] : [])],
      redirect_uris: [],
      response_types: [],
    }
    const secret = { client_id: 'gateway', client_secret: CLIENT_SECRET, ...common }
    const provider = new Provider(this.url, {
      adapter: Memory,
      jwks: { keys: [SIGNING_KEY] },
      clients: [
        secret,
        {
          ...secret,
          client_id: 'gateway-post',
          token_endpoint_auth_method: 'client_secret_post',
        },
        ...(publicKey === undefined
          ? []
          : [
              {
                ...common,
                client_id: 'gateway-key',
                token_endpoint_auth_method: 'private_key_jwt' as const,
                jwks: { keys: [publicKey] },
              },
            ]),
      ],
      scopes: ['tools:read', 'tools:write'],
      features: {
        devInteractions: { enabled: false },
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: () => ({ scope: 'tools:read tools:write' }),
        },
      },
      ttl: { ClientCredentials: life },
    })
    provider.use(async (context, next) => {
      await next()
      if (context.path !== '/token') return
      const params = Object.entries(context.oidc.params ?? {})
      const given = params.filter((it): it is [string, string] => typeof it[1] === 'string')
      this.asked.push(new URLSearchParams(given))
      const { access_token: token } = context.body as { access_token?: string }
      if (token !== undefined) this.given.push(token)
    })
    return provider
  }

  #addExchange(provider: Provider, issuer: string, life: number): void {
    const keys = createRemoteJWKSet(new URL(issuer))
    const exchanged = generateKeyPair('ES256')
    const parameters = [
      'subject_token',
      'subject_token_type',
      'requested_token_type',
      'audience',
      'resource',
      'scope',
    ]
    provider.registerGrantType(
      EXCHANGE,
      async (context) => {
        const { subject_token: shown, audience = '' } = context.oidc.params as Record<
          string,
          string
        >
        let claims: JWTPayload
        try {
          claims = (await jwtVerify(shown ?? '', keys, { issuer, audience: 'gateway' })).payload
        } catch {
          context.status = 400
          context.body = { error: 'invalid_grant' }
          return
        }
        const { privateKey } = await exchanged
        const token = await new SignJWT({
          sub: claims.sub ?? '',
          aud: audience,
          jti: `${Math.random()}`,
        })
          .setProtectedHeader({ alg: 'ES256' })
          .sign(privateKey)
        context.body = {
          access_token: token,
          issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
          token_type: 'Bearer',
          expires_in: life,
        }
      },
      parameters,
    )
  }
}

/** A key pair as a client writes it and as its authorization server knows it. */
export async function clientKey(algorithm: string): Promise<{ pem: string; jwk: object }> {
  const { privateKey, publicKey } = await generateKeyPair(algorithm, { extractable: true })
  const jwk = { ...(await exportJWK(publicKey)), kid: 'k1', alg: algorithm, use: 'sig' }
  return { pem: await exportPKCS8(privateKey), jwk }
}
