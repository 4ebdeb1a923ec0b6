/**
 * Sealed tokens: what we hand out and get back, readable and changeable by nobody else. Any process with the key
 * opens what another sealed, so nothing needs to be stored or shared.
 *
 *     base64url( version 1 byte │ key id 4 │ iv 12 │ AES-256-GCM ciphertext │ tag 16 )
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  hkdfSync,
  randomBytes,
} from 'node:crypto'

const VERSION = 1
const KEY_ID_BYTES = 4
const IV_BYTES = 12
const TAG_BYTES = 16
const HEAD_BYTES = 1 + KEY_ID_BYTES + IV_BYTES
const BASE64URL = /^[A-Za-z0-9_-]+$/

interface SealingKey {
  readonly id: Buffer
  readonly secret: Buffer
  readonly ivKey: Buffer
}

/** A key for one purpose, of 32 bytes; it says nothing of the one that it is made of (RFC 5869). */
export function derivedKey(key: Buffer, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, '', `mcp-junction ${purpose}`, 32))
}

export class Sealer {
  readonly #first: SealingKey
  readonly #keys: readonly SealingKey[]

  /**
   * The first key seals, all open. `purpose` makes keys of their own out of them, so that what was sealed for one
   * purpose never opens for another.
   * @throws TypeError where there is no key, or one is not of 32 bytes
   */
  constructor(keys: readonly Buffer[], purpose: string) {
    this.#keys = keys.map((key) => {
      if (key.length !== 32) throw new TypeError('a sealing key has 32 bytes')
      const secret = derivedKey(key, purpose)
      const id = createHash('sha256').update(secret).digest().subarray(0, KEY_ID_BYTES)
      return { id, secret, ivKey: derivedKey(key, `${purpose} iv`) }
    })
    const [first] = this.#keys
    if (first === undefined) throw new TypeError('sealing needs a key')
    this.#first = first
  }

  seal(plain: string): string {
    return this.#seal(plain, randomBytes(IV_BYTES))
  }

  /**
   * The same token each time, for what clients compare. The initialisation vector is made from the text under a key
   * of its own (as RFC 5297 does), so none is used for two texts.
   */
  sealAlike(plain: string): string {
    const iv = createHmac('sha256', this.#first.ivKey).update(plain).digest().subarray(0, IV_BYTES)
    return this.#seal(plain, iv)
  }

  /** What was sealed, or `undefined` for a token that is not ours, was changed, or whose key is gone. */
  open(token: string): string | undefined {
    // Buffer.from skips what is not base64url; one token must not be accepted in many spellings.
    if (!BASE64URL.test(token)) return undefined
    const bytes = Buffer.from(token, 'base64url')
    if (bytes.length < HEAD_BYTES + TAG_BYTES || bytes[0] !== VERSION) return undefined
    if (bytes.toString('base64url') !== token) return undefined
    const keyId = bytes.subarray(1, 1 + KEY_ID_BYTES)
    const key = this.#keys.find(({ id }) => id.equals(keyId))
    if (key === undefined) return undefined
    const head = bytes.subarray(0, HEAD_BYTES)
    const decipher = createDecipheriv('aes-256-gcm', key.secret, head.subarray(-IV_BYTES))
      .setAAD(head)
      .setAuthTag(bytes.subarray(-TAG_BYTES))
    try {
      const plain = decipher.update(bytes.subarray(HEAD_BYTES, -TAG_BYTES))
      return Buffer.concat([plain, decipher.final()]).toString('utf8')
    } catch {
      // The tag does not match: somebody changed it, which is as good as unknown.
      return undefined
    }
  }

  #seal(plain: string, iv: Buffer): string {
    const { id, secret } = this.#first
    const head = Buffer.concat([Buffer.of(VERSION), id, iv])
    const cipher = createCipheriv('aes-256-gcm', secret, head.subarray(-IV_BYTES)).setAAD(head)
    const sealed = [cipher.update(plain, 'utf8'), cipher.final(), cipher.getAuthTag()]
    return Buffer.concat([head, ...sealed]).toString('base64url')
  }
}
