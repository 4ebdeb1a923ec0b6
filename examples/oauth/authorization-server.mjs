// An authorization server, by oidc-provider: registration of clients, PKCE, tokens for one resource each (RFC 8707) as
// signed JWTs. FOR THIS EXAMPLE ALONE: whoever clicks on a name is that user, and all of it is gone when the process ends.
// Prints `listening URL`.
import { exportJWK, generateKeyPair } from 'jose'
import { createMemoryAdapter } from 'oidc-provider/lib/adapters/memory_adapter.js'
import { randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { loginPages } from './login-pages.mjs'

// It warns of Node 20, which its authors no longer test with; the check of this example runs there too.
const { warn } = console
console.warn = (text, ...more) =>
  /Unsupported runtime/.test(text) ? undefined : warn(text, ...more)
const { errors, Provider } = await import('oidc-provider')

const USERS = new Map([
  ['ada', { role: 'editor' }],
  ['bob', { role: 'reader' }],
])
const SCOPES = 'mcp files:write'
/** Whom tokens are for: the gateway, what is below it, and somebody else, whose tokens the gateway has to refuse. */
const RESOURCES = process.argv.slice(2)
const isKnown = (resource) =>
  RESOURCES.some((it) => resource === it || resource.startsWith(`${it}/`))

const server = createServer()
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const issuer = `http://127.0.0.1:${server.address().port}`

const { privateKey } = await generateKeyPair('ES256', { extractable: true })
const provider = new Provider(issuer, {
  adapter: createMemoryAdapter(),
  jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: 'ES256', use: 'sig' }] },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  scopes: ['openid'],
  // Clients register with the scopes that they need at first. What they get is for their user to say, whenever they ask.
  extraClientMetadata: {
    properties: ['scope'],
    validator: (_context, _name, _value, metadata) => void delete metadata.scope,
  },
  features: {
    devInteractions: { enabled: false },
    registration: { enabled: true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo(_context, resource) {
        if (!isKnown(resource)) throw new errors.InvalidTarget()
        const jwt = { sign: { alg: 'ES256' } }
        return { scope: SCOPES, audience: resource, accessTokenFormat: 'jwt', jwt }
      },
    },
  },
  findAccount: (_context, id) =>
    USERS.has(id) ? { accountId: id, claims: () => ({ sub: id }) } : undefined,
  extraTokenClaims: (_context, { accountId }) => USERS.get(accountId),
  interactions: { url: (_context, { uid }) => `/login/${uid}` },
  ttl: { AccessToken: 600, Grant: 3_600, Interaction: 600, Session: 3_600 },
  // Clients may register for refresh tokens, and get none: SDK 1 would refresh where it has to ask for another scope.
  issueRefreshToken: () => false,
  // The Inspector asks from its own page.
  clientBasedCORS: () => true,
})
provider.on('server_error', (_context, error) => console.error(error))

const showLogin = loginPages(provider, [...USERS.keys()])
const answer = provider.callback()
server.on('request', (request, response) => {
  if (request.url.startsWith('/login/')) return void showLogin(request, response)
  if (request.url === '/reg') response.setHeader('access-control-allow-origin', '*')
  if (request.url === '/reg' && request.method === 'OPTIONS') {
    const headers = { 'access-control-allow-methods': 'POST', 'access-control-allow-headers': '*' }
    return void response.writeHead(204, headers).end()
  }
  void answer(request, response)
})
console.log(`listening ${issuer}`)
