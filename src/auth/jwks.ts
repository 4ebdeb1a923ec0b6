/**
 * The keys of one issuer. Those behind a URL are read when they are first needed, again from time to time, and when a
 * token names one that is not among them; while the issuer cannot be reached, those that are known stay good.
 */
import type { JSONWebKeySet, JWTVerifyGetKey } from 'jose'
import { createLocalJWKSet, errors } from 'jose'
import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import type { JwksSettings } from './settings.js'

export interface JwksTiming {
  /** Keys older than this are read again, beside the request that finds them old. */
  readonly refreshMs: number
  /** Not more often than this for keys that nobody knows: anybody can name one. */
  readonly cooldownMs: number
  readonly timeoutMs: number
}

const TIMING: JwksTiming = { refreshMs: 600_000, cooldownMs: 5_000, timeoutMs: 5_000 }
const MAX_BYTES = 512 * 1024

const keySetSchema = z.looseObject({ keys: z.array(z.looseObject({ kty: z.string() })) })

/** The keys cannot be had, so that nothing can be said about a token. */
class KeysUnavailableError extends Error {
  readonly code = 'ERR_KEYS_UNAVAILABLE'
}

export class Jwks {
  readonly #settings: JwksSettings
  readonly #timing: JwksTiming
  #keys: JWTVerifyGetKey | undefined
  /** By `performance.now()`. */
  #readAt = -Infinity
  #triedAt = -Infinity
  #reading: Promise<void> | undefined

  constructor(settings: JwksSettings, timing: JwksTiming = TIMING) {
    this.#settings = settings
    this.#timing = timing
  }

  /** For `jwtVerify`. @throws KeysUnavailableError, or jose's error for a key that is not there */
  readonly find: JWTVerifyGetKey = async (header, token) => {
    if (this.#keys === undefined) await this.#read()
    else if (this.#isOld) this.#read().catch(() => undefined)
    const keys = this.#keys
    if (keys === undefined) throw new KeysUnavailableError('the keys of the issuer cannot be read')
    try {
      return await keys(header, token)
    } catch (error) {
      const mayBeNew = error instanceof errors.JWKSNoMatchingKey && this.#mayAskAgain
      if (!mayBeNew) throw error
      // Rotated, perhaps. Where the issuer is away, what is known is all there is.
      await this.#read().catch(() => undefined)
      return (this.#keys ?? keys)(header, token)
    }
  }

  get #isOld(): boolean {
    return this.#mayAskAgain && performance.now() - this.#readAt >= this.#timing.refreshMs
  }

  get #mayAskAgain(): boolean {
    const isConstant = this.#settings.inline !== undefined
    return !isConstant && performance.now() - this.#triedAt >= this.#timing.cooldownMs
  }

  /** One at a time, for all who wait. */
  #read(): Promise<void> {
    this.#triedAt = performance.now()
    this.#reading ??= this.#load()
      .then((keySet) => {
        this.#keys = createLocalJWKSet(keySet)
        this.#readAt = performance.now()
      })
      .finally(() => (this.#reading = undefined))
    return this.#reading
  }

  async #load(): Promise<JSONWebKeySet> {
    const { url, file, inline } = this.#settings
    const written =
      inline ?? (file === undefined ? await this.#fetch(url ?? '') : await readFile(file, 'utf8'))
    const value: unknown = typeof written === 'string' ? JSON.parse(written) : written
    return keySetSchema.parse(value)
  }

  async #fetch(url: string): Promise<string> {
    // oxlint-disable-next-line no-restricted-globals -- once in ten minutes, and no part of the relay
    const response = await fetch(url, {
      headers: { accept: 'application/json, application/jwk-set+json' },
      redirect: 'error',
      signal: AbortSignal.timeout(this.#timing.timeoutMs),
    })
    if (!response.ok) throw new KeysUnavailableError(`HTTP status ${response.status}`)
    let text = ''
    const decoder = new TextDecoder()
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk, { stream: true })
      if (text.length > MAX_BYTES) throw new KeysUnavailableError('the key set is too large')
    }
    return text
  }
}
