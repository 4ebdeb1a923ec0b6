/** Reads one HTTP answer of an upstream server: JSON, an event stream, or what should not have come. */
import type { Dispatcher } from 'undici'
import {
  BackendProtocolError,
  BackendUnreachableError,
  credentialsRefused,
  reasonOf,
  isBackendError,
  UpstreamSessionLostError,
} from './errors.js'
import { retryAfterMs } from './retry-after.js'
import type { TargetName } from './target.js'
import type { DoorHandler } from './http-door.js'
import type { Exchange } from './transport.js'
import type { Message } from './wire/json-rpc.js'
import { InvalidMessageError, readMessages } from './wire/json-rpc.js'
import { LARGE_BYTES, readLargeResult } from './wire/large-result.js'
import { wholeText, textOf } from './wire/message-text.js'
import { SseReader } from './wire/sse.js'

/** The largest single message taken from a server; what is larger would be held in memory several times. */
const MAX_MESSAGE_BYTES = 64 * 1024 * 1024
/** Of an answer that is not MCP, only this much is looked at. */
const MAX_REFUSAL_BYTES = 64 * 1024

/** Visible ASCII (2025-11-25 basic/transports), and not longer than the headers most servers take. */
const SESSION_ID = /^[\x21-\x7e]{1,4096}$/

type Body = 'json' | 'sse' | 'refusal' | 'none'

export interface ReaderOptions {
  readonly target: TargetName
  /** The request named a session, which the server may refuse. */
  readonly hasSession: boolean
  /** Only whether the server took it matters; the body may be anything. */
  readonly isAcknowledgement?: boolean
  /** The server gave the session an id. */
  readonly onSessionId?: (id: string) => void
}

/** undici's dispatch handler for one exchange. Once `onEnd` or `onError` was called, nothing follows. */
export class ResponseReader implements DoorHandler {
  readonly #target: TargetName
  readonly #options: ReaderOptions
  readonly #exchange: Exchange
  #controller: Dispatcher.DispatchController | undefined
  #sent = false
  #done = false
  #status = 0
  #retryAfter: string | undefined
  #body: Body = 'none'
  #chunks: Buffer[] = []
  #bytes = 0
  #sse: SseReader | undefined
  #giveUp: (() => void) | undefined

  constructor(options: ReaderOptions, exchange: Exchange) {
    this.#target = options.target
    this.#options = options
    this.#exchange = exchange
  }

  /** Stops the exchange silently. */
  abort(): void {
    this.#done = true
    this.#giveUp?.()
    this.#controller?.abort(new Error('no longer wanted'))
  }

  onWaiting(giveUp: () => void): void {
    this.#giveUp = giveUp
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller
    this.#giveUp = undefined
    // Called as the request is written to a connected socket: before this it provably did not run.
    this.#sent = true
    if (this.#done) controller.abort(new Error('no longer wanted'))
  }

  onResponseStart(
    _controller: Dispatcher.DispatchController,
    status: number,
    headers: Record<string, string | string[] | undefined>,
  ): void {
    this.#status = status
    const contentType = single(headers['content-type'])?.split(';', 1)[0]?.trim().toLowerCase()
    const encoding = single(headers['content-encoding'])
    if (encoding !== undefined && encoding !== 'identity') {
      return this.#fail(`sent a body encoded as ${clip(encoding)}, which was not asked for`)
    }
    if (status < 200 || status > 299) {
      this.#body = 'refusal'
      this.#retryAfter = single(headers['retry-after'])
    } else if (status === 202 || status === 204 || this.#options.isAcknowledgement)
      this.#body = 'none'
    else if (contentType === 'application/json') this.#body = 'json'
    else if (contentType === 'text/event-stream') this.#body = 'sse'
    else if (contentType === undefined) this.#body = 'none'
    else return this.#fail(`answered ${status} with ${clip(contentType)}, which is not MCP`)

    const sessionId = single(headers['mcp-session-id'])
    if (sessionId !== undefined && this.#body !== 'refusal') {
      if (!SESSION_ID.test(sessionId)) return this.#fail('gave a session id that cannot be sent')
      this.#options.onSessionId?.(sessionId)
    }
    if (this.#body === 'sse') {
      this.#exchange.onOpen?.()
      this.#sse = new SseReader((event) => {
        if (event.id !== undefined || event.retry !== undefined) {
          this.#exchange.onEvent?.(event.id, event.retry)
        }
        const { data } = event
        if (event.event === 'endpoint') this.#exchange.onEndpoint?.(wholeText(data))
        else if (data !== '' && (event.event === undefined || event.event === 'message')) {
          this.#deliver(() =>
            typeof data === 'string' ? readMessages(data) : messagesIn(data, LARGE_BYTES),
          )
        }
      }, MAX_MESSAGE_BYTES)
    }
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#done) return
    if (this.#body === 'sse') return this.#readEvents(controller, chunk)
    if (this.#body === 'none') return
    this.#bytes += chunk.length
    if (this.#body === 'refusal' && this.#bytes > MAX_REFUSAL_BYTES) {
      this.#chunks = []
      return
    }
    if (this.#bytes > MAX_MESSAGE_BYTES) {
      return this.#fail(`sent more than ${MAX_MESSAGE_BYTES} bytes in one answer`)
    }
    this.#chunks.push(chunk)
  }

  onResponseEnd(): void {
    if (this.#done) return
    if (this.#body === 'refusal') return this.#refused()
    if (this.#body === 'json') this.#deliverBody()
    this.#settle(() => this.#exchange.onEnd())
  }

  onResponseError(_controller: Dispatcher.DispatchController | undefined, cause: Error): void {
    const error = isBackendError(cause)
      ? cause
      : new BackendUnreachableError(
          this.#target,
          networkReason(cause, this.#sent),
          this.#sent,
          cause,
        )
    this.#settle(() => this.#exchange.onError(error))
  }

  #readEvents(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    try {
      this.#sse?.push(chunk)
    } catch (error) {
      return this.#fail(reasonOf(error))
    }
    // Whoever reads slowly slows the server down, and does not fill our memory.
    const room = this.#done ? undefined : this.#exchange.room?.()
    if (room === undefined) return
    controller.pause()
    void room.then(() => controller.resume())
  }

  #deliverBody(): void {
    const chunks = this.#chunks
    this.#deliver(() => messagesIn(chunks, this.#bytes))
  }

  #deliver(read: () => Messages): void {
    let messages: Messages
    try {
      messages = read()
    } catch (error) {
      return this.#fail(`sent what is no JSON-RPC message: ${reasonOf(error)}`)
    }
    for (const message of Array.isArray(messages) ? messages : [messages]) {
      if (this.#done) return
      if (!(message instanceof InvalidMessageError)) this.#exchange.onMessage(message)
    }
  }

  /** A status that says no. A JSON-RPC error in the body is the better answer where it names our request. */
  #refused(): void {
    if (this.#status === 401) {
      // Its challenge would send the client to get tokens for it.
      const error = credentialsRefused(this.#target)
      return this.#settle(() => this.#exchange.onError(error))
    }
    let error: Message | undefined
    try {
      const messages = readMessages(textOf(this.#chunks))
      if (!Array.isArray(messages) && messages.kind === 'error') error = messages
    } catch {
      // The body of a refusal may be anything; the status alone tells enough.
    }
    if (error?.kind === 'error' && error.id !== undefined) {
      this.#exchange.onMessage(error)
      return this.#settle(() => this.#exchange.onEnd())
    }
    // 404 is what the specification says of a session that is gone; 400 without our id is what many servers
    // say (the reference "everything" server among them). Both refuse at the door.
    if (this.#options.hasSession && (this.#status === 404 || this.#status === 400)) {
      return this.#settle(() =>
        this.#exchange.onError(
          new UpstreamSessionLostError(this.#target, `refused the session (HTTP ${this.#status})`),
        ),
      )
    }
    this.#fail(`answered HTTP ${this.#status}`, this.#status)
  }

  #fail(what: string, status?: number): void {
    this.#settle(() =>
      this.#exchange.onError(
        new BackendProtocolError(
          this.#target,
          `the server ${what}`,
          status,
          retryAfterMs(this.#retryAfter),
        ),
      ),
    )
    this.#controller?.abort(new Error(what))
  }

  #settle(tell: () => void): void {
    if (this.#done) return
    this.#done = true
    this.#chunks = []
    tell()
  }
}

type Messages = Message | (Message | InvalidMessageError)[]

function messagesIn(chunks: readonly Buffer[], bytes: number): Messages {
  const large = bytes < LARGE_BYTES ? undefined : readLargeResult(chunks)
  return large ?? readMessages(textOf(chunks))
}

function single(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header[0] : header
}

/** Text of a peer's for our messages: short, and without what could forge a log line. */
function clip(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 80)
}

const NETWORK_REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was reset',
  EAI_AGAIN: 'its host name cannot be looked up now',
  ENOTFOUND: 'its host name is not known',
  EHOSTUNREACH: 'its host cannot be reached',
  ENETUNREACH: 'its network cannot be reached',
  ETIMEDOUT: 'the connection timed out',
  UND_ERR_CONNECT_TIMEOUT: 'the connection timed out',
  UND_ERR_BODY_TIMEOUT: 'the stream was silent for too long',
  UND_ERR_SOCKET: 'the server closed the connection',
  UND_ERR_HEADERS_OVERFLOW: 'its headers are too large',
}

/** Clients read this: what happened, and no address. The cause itself is kept for the log. */
export function networkReason(cause: Error, sent: boolean): string {
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : cause.name
  return NETWORK_REASONS[code] ?? `the connection ${sent ? 'broke' : 'failed'} (${code})`
}
