/** A real issuer of tokens: keys over HTTP, which it can rotate, lose and get back. */
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import type { CryptoKey, JWK } from 'jose'
import type { Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { JsonObject } from '../../backends/index.js'

export interface TokenOptions {
  readonly subject?: string
  readonly audience?: string | string[]
  readonly issuer?: string
  /** Seconds from now. */
  readonly expires?: number
  readonly claims?: JsonObject
  readonly header?: JsonObject
}

export class Issuer implements AsyncDisposable {
  readonly #server: Server = createServer((_request, response) => {
    this.asked++
    if (this.isDown) return void response.writeHead(503).end()
    response.writeHead(200, { 'content-type': 'application/json' })
    response.end(JSON.stringify({ keys: this.published }))
  })
  published: JWK[] = []
  isDown = false
  /** How often the keys were asked for. */
  asked = 0
  #key: CryptoKey | undefined
  #kid = ''

  static async start(): Promise<Issuer> {
    const issuer = new Issuer()
    await new Promise<void>((resolve) => issuer.#server.listen(0, '127.0.0.1', resolve))
    await issuer.rotate()
    return issuer
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Makes a new key, and publishes it in place of, or beside, those there are. */
  async rotate(keep = false): Promise<void> {
    const { publicKey, privateKey } = await generateKeyPair('ES256')
    this.#kid = `key-${Math.random().toString(36).slice(2)}`
    const jwk = { ...(await exportJWK(publicKey)), kid: this.#kid, alg: 'ES256', use: 'sig' }
    this.published = [...(keep ? this.published : []), jwk]
    this.#key = privateKey
  }

  async token(options: TokenOptions = {}): Promise<string> {
    if (this.#key === undefined) throw new Error('no key')
    const { subject = 'ada', audience = 'gateway', issuer = this.url, expires = 300 } = options
    const now = Math.floor(Date.now() / 1_000)
    return new SignJWT({ ...options.claims, sub: subject, aud: audience, iss: issuer })
      .setProtectedHeader({ alg: 'ES256', kid: this.#kid, ...options.header })
      .setIssuedAt(now - 600)
      .setExpirationTime(now + expires)
      .sign(this.#key)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}
