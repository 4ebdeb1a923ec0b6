/** Server-sent events on Node's own response, and the one clock that keeps all open streams alive. */
import type { ServerResponse } from 'node:http'
import type { Membership } from '../../backends/index.js'
import { Members, SSE_KEEP_ALIVE } from '../../backends/index.js'

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

  /** Commits the status line. */
  constructor(response: ServerResponse) {
    this.#response = response
    response.writeHead(200, SSE_HEADERS)
    // Without this the client learns of the stream only with its first event.
    response.flushHeaders()
  }

  /** More is waiting for a slow reader than should be held for it. */
  get isClogged(): boolean {
    return this.#response.writableLength > MAX_WAITING_BYTES
  }

  /** Resolves when a slow reader has caught up, or is gone; `undefined` where nothing much is waiting. */
  room(): Promise<void> | undefined {
    const response = this.#response
    if (response.writableLength < FULL_BYTES || response.destroyed) return undefined
    return new Promise((resolve) => {
      const settle = (): void => {
        response.off('drain', settle).off('close', settle)
        resolve()
      }
      response.once('drain', settle).once('close', settle)
    })
  }

  write(text: string): void {
    if (!this.#response.destroyed && !this.#response.writableEnded) this.#response.write(text)
  }

  keepAlive(): void {
    if (this.#response.writableLength === 0) this.write(SSE_KEEP_ALIVE)
  }

  end(): void {
    this.#response.end()
  }

  destroy(): void {
    this.#response.destroy()
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
