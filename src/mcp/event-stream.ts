/** Server-sent events on Node's own response, and the one clock that keeps all open streams alive. */
import type { ServerResponse } from 'node:http'
import type { Membership } from '../../backends/index.js'
import { Members, SSE_KEEP_ALIVE } from '../../backends/index.js'
import { cutWhenStalled } from '../http/stalled-reader.js'

/** Proxies cut quiet streams after 30 to 60 seconds; comments come well before. */
const KEEP_ALIVE_MS = 15_000
/** What may wait for a slow reader. */
const MAX_WAITING_BYTES = 1024 * 1024
/** What waits before those who can wait are asked to; far below the former, as much may come in one breath. */
const FULL_BYTES = 128 * 1024

const SSE_HEADERS = {
  'content-type': 'text/event-stream',
  // no-transform: compressing proxies would hold events back.
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
} as const

export class EventStream {
  readonly #response: ServerResponse
  readonly #mostWaiting: number
  #isWatched = false
  #room: Promise<void> | undefined

  /** Commits the status line. `mostWaiting` is what may wait for a slow reader, in bytes. */
  constructor(response: ServerResponse, mostWaiting = MAX_WAITING_BYTES) {
    this.#response = response
    this.#mostWaiting = mostWaiting
    response.writeHead(200, SSE_HEADERS)
    // Without this the client learns of the stream only with its first event.
    response.flushHeaders()
  }

  /** Resolves when a slow reader has caught up, or is gone; `undefined` where nothing much is waiting. */
  room(): Promise<void> | undefined {
    const response = this.#response
    if (response.writableLength < FULL_BYTES || response.destroyed) return undefined
    // However many wait for it.
    return (this.#room ??= new Promise((resolve) => {
      const settle = (): void => {
        response.off('drain', settle).off('close', settle)
        this.#room = undefined
        resolve()
      }
      response.once('drain', settle).once('close', settle)
    }))
  }

  /** Writes what there may be much more of: a reader for whom too much waits already is cut off. */
  send(text: string): void {
    if (this.#response.writableLength > this.#mostWaiting) this.#response.destroy()
    else this.write(text)
  }

  write(text: string): void {
    const response = this.#response
    if (response.destroyed || response.writableEnded) return
    response.write(text)
    if (this.#isWatched || response.writableLength < FULL_BYTES) return
    this.#isWatched = true
    cutWhenStalled(response)
  }

  keepAlive(): void {
    if (this.#response.writableLength === 0) this.write(SSE_KEEP_ALIVE)
  }

  end(): void {
    this.#response.end()
  }
}

/** Calls every member now and then, with one timer however many there are. */
export class KeepAlive {
  readonly #members = new Members<{ keepAlive(): void }>()
  readonly #timer = setInterval(() => {
    this.#members.forEach((member) => member.keepAlive())
  }, KEEP_ALIVE_MS).unref()

  add(member: { keepAlive(): void }): Membership<unknown> {
    return this.#members.add(member)
  }

  close(): void {
    clearInterval(this.#timer)
  }
}
