/**
 * Posts bytes to one address that is no MCP server, over the HTTP client of calls. With a second HTTP client in the process,
 * `node:http`, what both are built on has more forms than V8 tells apart quickly, and every call was 2 % slower.
 */
import type { Dispatcher } from 'undici'
import { Pool } from 'undici'
import { retryAfterMs } from './retry-after.js'

const CONNECT_MS = 10_000

/** What came of it. The answer's body is nobody's to read. */
export interface Posted {
  readonly status: number
  /** When to come again, where the answer says it. */
  readonly retryAfterMs: number | undefined
}

export class HttpPoster {
  readonly #pool: Pool
  readonly #path: string
  readonly #headers: Readonly<Record<string, string>>

  constructor(url: string, headers: Readonly<Record<string, string>>) {
    const { origin, pathname, search, username, password } = new URL(url)
    this.#pool = new Pool(origin, { connections: 1, connect: { timeout: CONNECT_MS } })
    this.#path = pathname + search
    this.#headers =
      username === '' ? headers : { authorization: basic(username, password), ...headers }
  }

  /** @throws what keeps it from being answered; that takes no longer than `timeoutMs` */
  post(body: Uint8Array, timeoutMs: number): Promise<Posted> {
    return new Promise((resolve, reject) => {
      this.#pool.dispatch(
        { method: 'POST', path: this.#path, headers: this.#headers, body: Buffer.from(body) },
        new PostHandler(resolve, reject, timeoutMs),
      )
    })
  }

  /** Gives up what is under way. */
  close(): Promise<void> {
    return this.#pool.destroy()
  }
}

/** As other clients of HTTP take what a URL says of who asks. */
function basic(username: string, password: string): string {
  const named = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  return `Basic ${Buffer.from(named).toString('base64')}`
}

class PostHandler implements Dispatcher.DispatchHandler {
  readonly #resolve: (posted: Posted) => void
  readonly #reject: (error: Error) => void
  readonly #timer: NodeJS.Timeout
  #controller: Dispatcher.DispatchController | undefined
  #late: Error | undefined
  #posted: Posted = { status: 0, retryAfterMs: undefined }

  constructor(
    resolve: (posted: Posted) => void,
    reject: (error: Error) => void,
    timeoutMs: number,
  ) {
    this.#resolve = resolve
    this.#reject = reject
    this.#timer = setTimeout(() => {
      this.#late = new Error(`no answer within ${timeoutMs} ms`)
      this.#controller?.abort(this.#late)
      reject(this.#late)
    }, timeoutMs)
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    // It waited for a connection until nobody waited for it.
    if (this.#late !== undefined) controller.abort(this.#late)
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Readonly<Record<string, string | string[] | undefined>>,
  ): void {
    const asked = headers['retry-after']
    this.#posted = {
      status,
      retryAfterMs: typeof asked === 'string' ? retryAfterMs(asked) : undefined,
    }
  }

  onResponseData(): void {
    // Nobody's to read.
  }

  onResponseEnd(): void {
    clearTimeout(this.#timer)
    this.#resolve(this.#posted)
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    clearTimeout(this.#timer)
    this.#reject(error)
  }
}
