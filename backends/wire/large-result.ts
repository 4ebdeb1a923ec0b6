/**
 * Reads a large result without making text or a value of most of it. What is large is nearly always one text or blob in it,
 * which nobody on the way looks at: that is passed on as the bytes that came. To decode, parse and encode a mebibyte takes
 * eight times as long as to hand it on (`npm run bench`).
 */
import {
  BACKSLASH,
  CLOSING_BRACE,
  CLOSING_BRACKET,
  COLON,
  isSpace,
  OPENING_BRACE,
  OPENING_BRACKET,
  QUOTE,
} from './bytes.js'
import type { Message } from './json-rpc.js'
import { readMessage } from './json-rpc.js'
import { textOf } from './message-text.js'
import type { Hole } from './outline.js'
import { LEFT_OUT, Outline } from './outline.js'
import { RawJson } from './raw-json.js'

/** Smaller messages are as quickly read as usual. */
export const LARGE_BYTES = 64 * 1024
/** Shorter texts stay in the value. */
const LONG_BYTES = 4 * 1024
/** So much without any long text, and it is not of the kind that this is for. */
const GIVE_UP_BYTES = 128 * 1024
/** Up to here a look at each byte is quicker than a call to find the end of a string. */
const NEAR_BYTES = 64
/** Where long texts stand: content of tools and prompts, and resources. */
const LONG_KEYS: ReadonlySet<string> = new Set(['text', 'data', 'blob'])
const RESULT = 'result'

/**
 * A result message of which the value lacks its long texts, and the bytes do not; `undefined` for what is better read as
 * usual. Of these texts only the ends are looked for: what else is wrong within, the client finds. The bytes stay in the
 * chunks in which they came, as joining them would cost as much as sending them.
 * @throws InvalidMessageError for what is no message
 */
export function readLargeResult(chunks: readonly Buffer[]): Message | undefined {
  const scan = new Scan(chunks)
  if (!scan.isWorthwhile) return undefined
  const outline = scan.result()
  const message = readMessage(scan.before() + outline.text + scan.after())
  if (message.kind !== 'result') return undefined
  const { id, result } = message
  return { kind: 'result', id, result: RawJson.fromBytes(outline, result.value) }
}

/** One look at all bytes of a message. Places are counted from its beginning. */
class Scan {
  readonly #chunks: readonly Buffer[]
  /** Where long texts begin and end, in turns. */
  readonly #cuts: number[] = []
  #cutBytes = 0
  #depth = 0
  #resultStart = -1
  #resultEnd = -1
  /** Where the last string began and ended. */
  #stringStart = 0
  #stringEnd = 0
  #isInString = false
  /** The byte that comes next in a string is escaped. */
  #isEscaped = false
  /** What comes next says whether the last string was a key. */
  #isUndecided = false
  /** The key of the value that comes next. */
  #key = ''
  readonly isWorthwhile: boolean

  constructor(chunks: readonly Buffer[]) {
    this.#chunks = chunks
    let begin = 0
    let isPromising = true
    for (const chunk of chunks) {
      this.#look(chunk, begin)
      begin += chunk.length
      const isInLong = this.#isInString && LONG_KEYS.has(this.#key)
      const inLong = isInLong ? begin - this.#stringStart : 0
      isPromising = begin - this.#cutBytes - inLong <= GIVE_UP_BYTES
      if (!isPromising) break
    }
    this.isWorthwhile = isPromising && this.#cuts.length > 0 && this.#resultEnd !== -1
  }

  /** The text before the result, without long texts. */
  before(): string {
    return this.#without(0, this.#resultStart).text
  }

  after(): string {
    return this.#without(this.#resultEnd, Infinity).text
  }

  result(): Outline {
    const [start, end] = [this.#resultStart, this.#resultEnd]
    const { text, holes } = this.#without(start, end)
    return new Outline(text, holes, this.#slice(start, end))
  }

  #without(start: number, end: number): { readonly text: string; readonly holes: readonly Hole[] } {
    const holes: Hole[] = []
    let text = ''
    let from = start
    for (let index = 0; index < this.#cuts.length; index += 2) {
      const [cut, until] = [this.#cuts[index] ?? 0, this.#cuts[index + 1] ?? 0]
      if (cut < start || until > end) continue
      text += this.#text(from, cut)
      holes.push({ at: text.length, bytes: this.#slice(cut, until) })
      text += LEFT_OUT
      from = until
    }
    return { text: text + this.#text(from, end), holes }
  }

  #text(from: number, until: number): string {
    return textOf(this.#slice(from, until))
  }

  #look(chunk: Buffer, begin: number): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#isInString) {
        at = this.#afterString(chunk, at)
        this.#stringEnd = begin + at
        continue
      }
      const byte = chunk[at] ?? 0
      if (this.#isUndecided && !isSpace(byte)) this.#decide(byte === COLON)
      if (byte === QUOTE) {
        this.#isInString = true
        this.#stringStart = begin + at
      } else if (byte === OPENING_BRACE || byte === OPENING_BRACKET) {
        if (this.#depth === 1 && this.#key === RESULT) this.#resultStart = begin + at
        this.#depth++
        this.#key = ''
      } else if (byte === CLOSING_BRACE || byte === CLOSING_BRACKET) {
        this.#depth--
        const isEnd = this.#depth === 1 && this.#resultStart !== -1 && this.#resultEnd === -1
        if (isEnd) this.#resultEnd = begin + at + 1
      }
      at++
    }
  }

  /** The place in the chunk behind the string, or behind the chunk. */
  #afterString(chunk: Buffer, from: number): number {
    let at = this.#isEscaped ? from + 1 : from
    this.#isEscaped = false
    for (const near = Math.min(at + NEAR_BYTES, chunk.length); at < near; at++) {
      const byte = chunk[at]
      if (byte === QUOTE) return this.#endString(at)
      if (byte === BACKSLASH) at++
    }
    while (at < chunk.length) {
      const quote = chunk.indexOf(QUOTE, at)
      const end = quote === -1 ? chunk.length : quote
      let backslashes = 0
      while (end - 1 - backslashes >= at && chunk[end - 1 - backslashes] === BACKSLASH)
        backslashes++
      const isEscaped = backslashes % 2 === 1
      if (quote !== -1 && !isEscaped) return this.#endString(quote)
      at = isEscaped ? end + 1 : end
    }
    this.#isEscaped = at > chunk.length
    return chunk.length
  }

  #endString(quote: number): number {
    this.#isInString = false
    this.#isUndecided = true
    return quote + 1
  }

  #decide(isKey: boolean): void {
    this.#isUndecided = false
    const [start, end] = [this.#stringStart + 1, this.#stringEnd - 1]
    if (isKey) {
      const mayMatter = end - start <= RESULT.length
      this.#key = mayMatter ? Buffer.concat(this.#slice(start, end)).toString('latin1') : ''
      return
    }
    if (end - start > LONG_BYTES && LONG_KEYS.has(this.#key)) {
      this.#cuts.push(start, end)
      this.#cutBytes += end - start
    }
    this.#key = ''
  }

  #slice(from: number, until: number): readonly Buffer[] {
    const parts: Buffer[] = []
    let begin = 0
    for (const chunk of this.#chunks) {
      const end = begin + chunk.length
      if (end > from && begin < until) {
        parts.push(chunk.subarray(Math.max(0, from - begin), Math.min(chunk.length, until - begin)))
      }
      begin = end
    }
    return parts
  }
}
