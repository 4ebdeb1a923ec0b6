// What an MCP host does about OAuth, for either line of the SDK: it keeps what the SDK gives it, and shows its user
// the login page. The SDK does the rest.
import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'

export class Host {
  /** Everything that went over HTTP, in order: `{ method, url, body, status, challenge }`. */
  traffic = []
  /** Addresses that the user was sent to. */
  visited = []
  /** What the user came back with last. */
  callback
  #browser
  #kept = {}

  constructor(browser) {
    this.#browser = browser
  }

  /** For the SDK's transports: the global one, watched. */
  fetch = async (input, init) => {
    const response = await fetch(input, init)
    this.traffic.push({
      method: init?.method ?? 'GET',
      url: String(input),
      status: response.status,
      challenge: response.headers.get('www-authenticate') ?? '',
      body: init?.body === undefined ? '' : String(init.body),
    })
    return response
  }

  get redirectUrl() {
    return 'http://127.0.0.1/callback'
  }

  get clientMetadata() {
    return {
      client_name: 'Example host',
      redirect_uris: [this.redirectUrl],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    }
  }

  state() {
    return (this.#kept.state = randomUUID())
  }
  clientInformation() {
    return this.#kept.client
  }
  saveClientInformation(client) {
    this.#kept.client = client
  }
  tokens() {
    return this.#kept.tokens
  }
  saveTokens(tokens) {
    this.#kept.tokens = tokens
  }
  codeVerifier() {
    return this.#kept.verifier
  }
  saveCodeVerifier(verifier) {
    this.#kept.verifier = verifier
  }
  discoveryState() {
    return this.#kept.discovery
  }
  saveDiscoveryState(discovery) {
    this.#kept.discovery = discovery
  }

  /** Shows the user where to log in; they come back with what the authorization server says, for `callback`. */
  async redirectToAuthorization(url) {
    this.visited.push(url)
    const { searchParams } = await this.#browser.visit(url, this.redirectUrl)
    assert.equal(searchParams.get('error'), null, String(searchParams))
    assert.equal(searchParams.get('state'), this.#kept.state)
    this.callback = searchParams
  }
}
