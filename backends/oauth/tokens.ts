/**
 * What a target's server is shown of tokens: the gateway's own for what it asks on its own account, and for what it asks
 * on a caller's a token of that caller's. Tokens are kept while they hold, and fetched anew beside the calls before
 * they end.
 */
import { LRUCache } from 'lru-cache'
import { createHash } from 'node:crypto'
import type { SubjectToken } from '../call.js'
import { BackendCredentialsError } from '../errors.js'
import type { TargetName } from '../target.js'
import type { UpstreamAuth } from './settings.js'
import type { Token } from './token-endpoint.js'
import { NoTokenError, TokenEndpoint } from './token-endpoint.js'

const MAX_EXCHANGED = 10_000
/** Tokens are replaced when this much of their life is left, but not more than half a minute of it. */
const FRESH_SHARE = 0.1
const FRESH_MS = 30_000
/** An authorization server that refuses, or whose tokens are refused, is not asked again with every call. */
const REFUSAL_MS = 2_000

export class UpstreamTokens {
  readonly #target: TargetName
  readonly #passthrough: UpstreamAuth['passthrough']
  readonly #own: KeptToken | undefined
  readonly #exchange: TokenEndpoint | undefined
  readonly #exchanged = new LRUCache<string, KeptToken>({ max: MAX_EXCHANGED })

  constructor(target: TargetName, { own, exchange, passthrough }: UpstreamAuth) {
    this.#target = target
    this.#passthrough = passthrough
    if (own !== undefined) {
      const endpoint = new TokenEndpoint(own)
      this.#own = new KeptToken(() => endpoint.token())
    }
    if (exchange !== undefined) this.#exchange = new TokenEndpoint(exchange)
  }

  /**
   * The token for what is asked on nobody's account but the gateway's; at once where it is known.
   * @throws BackendCredentialsError
   */
  own(): string | undefined | Promise<string> {
    return this.#own && this.#known(this.#own)
  }

  /**
   * The token for what is asked on a caller's account.
   * @throws BackendCredentialsError, also for a caller that showed no token, or one that is not for this server
   */
  onBehalfOf(subject: SubjectToken | undefined): string | Promise<string> {
    if (subject === undefined) {
      throw this.#error('it is called with the token of whoever calls, and none was shown')
    }
    if (this.#passthrough !== undefined) {
      if (subject.audiences.includes(this.#passthrough.audience)) return subject.token
      throw this.#error('the token that was shown is not meant for it')
    }
    return this.#known(this.#keptFor(subject))
  }

  /** The server does not believe this token. Returns whether there may be another. */
  refused(token: string, subject: SubjectToken | undefined): boolean {
    if (subject !== undefined && this.#passthrough !== undefined) return false
    const kept = subject === undefined ? this.#own : this.#keptFor(subject)
    return kept?.drop(token) ?? false
  }

  #keptFor({ token, expiresAt }: SubjectToken): KeptToken {
    const key = createHash('sha256').update(token).digest('base64')
    const known = this.#exchanged.get(key)
    if (known !== undefined) return known
    const kept = new KeptToken(() => {
      if (this.#exchange === undefined) throw new TypeError('nothing is exchanged here')
      return this.#exchange.token(token)
    })
    // What a caller may do ends with its token.
    this.#exchanged.set(key, kept, { ttl: Math.max(1, expiresAt - Date.now()) })
    return kept
  }

  #known(kept: KeptToken): string | Promise<string> {
    const token = kept.get()
    if (typeof token === 'string') return token
    return token.catch((error: unknown) => {
      if (error instanceof NoTokenError) throw this.#error(error.message)
      throw error
    })
  }

  #error(message: string): BackendCredentialsError {
    return new BackendCredentialsError(this.#target, message)
  }
}

/** One token, fetched when it is needed and by one request for all who wait. */
class KeptToken {
  readonly #fetch: () => Promise<Token>
  #token: Token | undefined
  #freshUntil = 0
  #droppedAt = -Infinity
  #fetching: Promise<string> | undefined

  constructor(fetch: () => Promise<Token>) {
    this.#fetch = fetch
  }

  get(): string | Promise<string> {
    const now = performance.now()
    if (this.#token === undefined || now >= this.#token.expiresAt) return this.#fetched()
    if (now >= this.#freshUntil) this.#fetched().catch(() => undefined)
    return this.#token.value
  }

  /**
   * Returns whether there is, or may be, another. A server that believes no token at all does not have one fetched with
   * every call.
   */
  drop(token: string): boolean {
    if (this.#token?.value !== token) return true
    const now = performance.now()
    if (now - this.#droppedAt < REFUSAL_MS) return false
    this.#droppedAt = now
    this.#token = undefined
    return true
  }

  #fetched(): Promise<string> {
    this.#fetching ??= this.#fetchOnce()
    return this.#fetching
  }

  async #fetchOnce(): Promise<string> {
    const done = (): void => (this.#fetching = undefined)
    try {
      const token = await this.#fetch()
      const lifeMs = token.expiresAt - performance.now()
      this.#token = token
      this.#freshUntil = token.expiresAt - Math.min(FRESH_MS, lifeMs * FRESH_SHARE)
      done()
      return token.value
    } catch (error) {
      setTimeout(done, REFUSAL_MS).unref()
      throw error
    }
  }
}
