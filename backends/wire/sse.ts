/**
 * Server-sent events (WHATWG HTML §9.2), read incrementally from bytes and written. Fed directly: the same
 * parsing through web streams costs over a hundred times as much (mcp-sdk.md §3).
 */
import { StringDecoder } from 'node:string_decoder'

export interface SseEvent {
  readonly event: string | undefined
  readonly id: string | undefined
  /** How long to wait before coming back, in milliseconds. */
  readonly retry: number | undefined
  readonly data: string
}

/** An event grew past the limit: the stream cannot be trusted any more. */
class SseTooLargeError extends Error {
  readonly code = 'ERR_SSE_TOO_LARGE'
}

/** Turns the bytes of one stream into events. `onEvent` sees only events that carry data, an id or a time to retry. */
export class SseReader {
  readonly #onEvent: (event: SseEvent) => void
  readonly #maxEventChars: number
  readonly #utf8 = new StringDecoder('utf8')
  #line: string[] = []
  #pendingChars = 0
  #data: string[] = []
  #event: string | undefined
  #id: string | undefined
  #retry: number | undefined
  #skipLineFeed = false
  #atStart = true

  constructor(onEvent: (event: SseEvent) => void, maxEventChars: number) {
    this.#onEvent = onEvent
    this.#maxEventChars = maxEventChars
  }

  /** @throws SseTooLargeError */
  push(chunk: Buffer): void {
    let text = this.#utf8.write(chunk)
    if (this.#atStart && text !== '') {
      this.#atStart = false
      if (text.charCodeAt(0) === 0xfeff) text = text.slice(1)
    }
    let start = 0
    if (this.#skipLineFeed && text.length > 0) {
      this.#skipLineFeed = false
      if (text[0] === '\n') start = 1
    }
    // Lines end with CR LF, LF or CR; a chunk may end between the two.
    let lineFeed = text.indexOf('\n', start)
    let carriageReturn = text.indexOf('\r', start)
    while (lineFeed !== -1 || carriageReturn !== -1) {
      const isReturn = carriageReturn !== -1 && (lineFeed === -1 || carriageReturn < lineFeed)
      const end = isReturn ? carriageReturn : lineFeed
      this.#endLine(text.slice(start, end))
      start = end + 1
      if (isReturn) {
        if (start === text.length) this.#skipLineFeed = true
        else if (text[start] === '\n') start++
        carriageReturn = text.indexOf('\r', start)
      }
      if (lineFeed !== -1 && lineFeed < start) lineFeed = text.indexOf('\n', start)
    }
    if (start < text.length) {
      this.#line.push(text.slice(start))
      this.#count(text.length - start)
    }
  }

  #endLine(tail: string): void {
    this.#count(tail.length)
    let line = tail
    if (this.#line.length > 0) {
      line = this.#line.join('') + tail
      this.#line = []
    }
    if (line === '') this.#dispatch()
    else this.#field(line)
  }

  #field(line: string): void {
    const colon = line.indexOf(':')
    if (colon === 0) {
      this.#pendingChars -= line.length
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
    const event = {
      event: this.#event,
      id: this.#id,
      retry: this.#retry,
      data: this.#data.join('\n'),
    }
    this.#data = []
    this.#event = undefined
    this.#id = undefined
    this.#retry = undefined
    this.#pendingChars = 0
    const isEmpty = event.data === '' && event.id === undefined && event.retry === undefined
    if (!isEmpty) this.#onEvent(event)
  }

  #count(chars: number): void {
    this.#pendingChars += chars
    if (this.#pendingChars > this.#maxEventChars) {
      throw new SseTooLargeError(`an event exceeds ${this.#maxEventChars} characters`)
    }
  }
}

/** One `message` event. JSON text has no line ends of its own, so it is one `data` line. */
export function sseMessage(json: string): string {
  // Pretty-printed JSON from a backend may hold line ends between tokens; they are white space there.
  const line = json.includes('\n') || json.includes('\r') ? json.replace(/[\r\n]+/g, ' ') : json
  return `event: message\ndata: ${line}\n\n`
}

/** A comment: keeps proxies and clients from taking a quiet stream for a dead one. */
export const SSE_KEEP_ALIVE = ':\r\n\r\n'
