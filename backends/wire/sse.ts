/**
 * Server-sent events (WHATWG HTML §9.2), read incrementally from bytes and written. Fed directly: the same
 * parsing through web streams costs over a hundred times as much (mcp-sdk.md §3).
 */
import { LARGE_BYTES } from './large-result.js'
import { wholeText, textOf } from './message-text.js'

export interface SseEvent {
  readonly event: string | undefined
  readonly id: string | undefined
  /** How long to wait before coming back, in milliseconds. */
  readonly retry: number | undefined
  /** Text; the chunks that it came in where it is one large line. */
  readonly data: string | readonly Buffer[]
}

/** An event grew past the limit: the stream cannot be trusted any more. */
class SseTooLargeError extends Error {
  readonly code = 'ERR_SSE_TOO_LARGE'
}

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d
const BYTE_ORDER_MARK = '\ufeff'
const DATA = 'data:'
const SPACE = 0x20

/** Turns the bytes of one stream into events. `onEvent` sees only events that carry data, an id or a time to retry. */
export class SseReader {
  readonly #onEvent: (event: SseEvent) => void
  readonly #maxEventBytes: number
  /** Of a line that goes on in the next chunk. */
  #line: Buffer[] = []
  #pendingBytes = 0
  #data: (string | readonly Buffer[])[] = []
  #event: string | undefined
  #id: string | undefined
  #retry: number | undefined
  #skipLineFeed = false
  #isFirstLine = true

  constructor(onEvent: (event: SseEvent) => void, maxEventBytes: number) {
    this.#onEvent = onEvent
    this.#maxEventBytes = maxEventBytes
  }

  /** @throws SseTooLargeError */
  push(chunk: Buffer): void {
    let start = this.#skipLineFeed && chunk[0] === LINE_FEED ? 1 : 0
    if (chunk.length > 0) this.#skipLineFeed = false
    // Lines end with CR LF, LF or CR; a chunk may end between the two.
    let lineFeed = chunk.indexOf(LINE_FEED, start)
    let carriageReturn = chunk.indexOf(CARRIAGE_RETURN, start)
    while (lineFeed !== -1 || carriageReturn !== -1) {
      const isReturn = carriageReturn !== -1 && (lineFeed === -1 || carriageReturn < lineFeed)
      const end = isReturn ? carriageReturn : lineFeed
      this.#endLine(chunk.subarray(start, end))
      start = end + 1
      if (isReturn) {
        if (start === chunk.length) this.#skipLineFeed = true
        else if (chunk[start] === LINE_FEED) start++
        carriageReturn = chunk.indexOf(CARRIAGE_RETURN, start)
      }
      if (lineFeed !== -1 && lineFeed < start) lineFeed = chunk.indexOf(LINE_FEED, start)
    }
    if (start < chunk.length) {
      this.#line.push(chunk.subarray(start))
      this.#count(chunk.length - start)
    }
  }

  #endLine(tail: Buffer): void {
    this.#count(tail.length)
    const line = this.#line
    this.#line = []
    line.push(tail)
    const bytes = line.length === 1 ? tail.length : lengthOf(line)
    if (bytes === 0) this.#dispatch()
    else if (bytes < LARGE_BYTES || !this.#takeLarge(line)) this.#field(textOf(line), bytes)
  }

  /** Takes a large line of data as it came. Returns false for any other. */
  #takeLarge([first, ...rest]: readonly Buffer[]): boolean {
    if (first?.toString('latin1', 0, DATA.length) !== DATA || first.length === DATA.length) {
      return false
    }
    this.#isFirstLine = false
    this.#data.push([first.subarray(DATA.length + (first[DATA.length] === SPACE ? 1 : 0)), ...rest])
    return true
  }

  #field(text: string, bytes: number): void {
    const line = this.#isFirstLine && text.startsWith(BYTE_ORDER_MARK) ? text.slice(1) : text
    this.#isFirstLine = false
    if (line === '') return this.#dispatch()
    const colon = line.indexOf(':')
    if (colon === 0) {
      this.#pendingBytes -= bytes
      return
    }
    const name = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (name === 'data') this.#data.push(value)
    else if (name === 'event') this.#event = value
    else if (name === 'id' && !value.includes('\0')) this.#id = value
    else if (name === 'retry' && /^\d{1,9}$/.test(value)) this.#retry = Number(value)
  }

  #dispatch(): void {
    const [first = ''] = this.#data
    const event = {
      event: this.#event,
      id: this.#id,
      retry: this.#retry,
      data: this.#data.length === 1 ? first : this.#data.map(wholeText).join('\n'),
    }
    this.#isFirstLine = false
    this.#data = []
    this.#event = undefined
    this.#id = undefined
    this.#retry = undefined
    this.#pendingBytes = 0
    const isEmpty = event.data === '' && event.id === undefined && event.retry === undefined
    if (!isEmpty) this.#onEvent(event)
  }

  #count(bytes: number): void {
    this.#pendingBytes += bytes
    if (this.#pendingBytes > this.#maxEventBytes) {
      throw new SseTooLargeError(`an event exceeds ${this.#maxEventBytes} bytes`)
    }
  }
}

function lengthOf(chunks: readonly Buffer[]): number {
  return chunks.reduce((sum, { length }) => sum + length, 0)
}

/** One `message` event. JSON text has no line ends of its own, so it is one `data` line. */
export function sseMessage(json: string): string {
  // Pretty-printed JSON from a backend may hold line ends between tokens; they are white space there.
  const line = json.includes('\n') || json.includes('\r') ? json.replace(/[\r\n]+/g, ' ') : json
  return `event: message\ndata: ${line}\n\n`
}

/** A comment: keeps proxies and clients from taking a quiet stream for a dead one. */
export const SSE_KEEP_ALIVE = ':\r\n\r\n'
