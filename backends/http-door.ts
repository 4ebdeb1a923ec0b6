/** The way of HTTP requests to one server, and what they show there. */
import type { Dispatcher } from 'undici'
import type { SubjectToken } from './call.js'
import type { UpstreamTokens } from './oauth/tokens.js'

/** Of an answer that nobody wants, what is read to keep its connection. */
const MAX_DRAINED_BYTES = 64 * 1024

export interface HttpDoor {
  /** Whether nothing can be sent any more. */
  readonly closed: boolean
  /**
   * What comes of it reaches `handler`. `subject` is the token of the caller that it is sent for; `isCall` says that it is a
   * caller's request, of which only so many are sent at once.
   */
  dispatch(
    request: Dispatcher.DispatchOptions,
    handler: Dispatcher.DispatchHandler,
    subject: SubjectToken | undefined,
    isCall: boolean,
  ): void
}

/** On whose account a session is kept: the gateway's own, or a caller's, of which this is the newest token. */
export type Account = 'own' | (() => SubjectToken | undefined)

/**
 * Shows a token with each request. One that the server does not believe is replaced and the request sent once more: it was
 * refused at the door, so it did not run.
 */
export class TokenDoor implements HttpDoor {
  readonly #door: HttpDoor
  readonly #tokens: UpstreamTokens
  readonly #account: Account

  constructor(door: HttpDoor, tokens: UpstreamTokens, account: Account) {
    this.#door = door
    this.#tokens = tokens
    this.#account = account
  }

  get closed(): boolean {
    return this.#door.closed
  }

  dispatch(
    request: Dispatcher.DispatchOptions,
    handler: Dispatcher.DispatchHandler,
    subject: SubjectToken | undefined,
    isCall: boolean,
  ): void {
    const whose = this.#account === 'own' ? undefined : (subject ?? this.#account())
    this.#send(request, handler, whose, isCall, true)
  }

  #send(
    request: Dispatcher.DispatchOptions,
    handler: Dispatcher.DispatchHandler,
    subject: SubjectToken | undefined,
    isCall: boolean,
    mayRetry: boolean,
  ): void {
    const fail = (error: unknown): void => {
      handler.onResponseError?.(NO_CONTROLLER, error as Error)
    }
    const sendWith = (token: string | undefined): void => {
      if (token === undefined) return this.#door.dispatch(request, handler, subject, isCall)
      const retry = (): boolean => {
        if (!mayRetry || !this.#tokens.refused(token, subject)) return false
        this.#send(request, handler, subject, isCall, false)
        return true
      }
      const headers = { ...(request.headers as object), authorization: `Bearer ${token}` }
      const retrying = new RetryingHandler(handler, retry)
      this.#door.dispatch({ ...request, headers }, retrying, subject, isCall)
    }
    try {
      const token = this.#account === 'own' ? this.#tokens.own() : this.#tokens.onBehalfOf(subject)
      if (token instanceof Promise) token.then(sendWith).catch(fail)
      else sendWith(token)
    } catch (error) {
      fail(error)
    }
  }
}

/** Before a request is on its way there is nothing to control. */
const NO_CONTROLLER = undefined as unknown as Dispatcher.DispatchController

/** Passes everything on but a 401 after which the request is sent anew. */
class RetryingHandler implements Dispatcher.DispatchHandler {
  readonly #handler: Dispatcher.DispatchHandler
  readonly #retry: () => boolean
  #isOver = false
  #drained = 0

  constructor(handler: Dispatcher.DispatchHandler, retry: () => boolean) {
    this.#handler = handler
    this.#retry = retry
  }

  onRequestStart(controller: Dispatcher.DispatchController, context: unknown): void {
    this.#handler.onRequestStart?.(controller, context)
  }

  onResponseStart(
    ...[controller, status, headers, message]: Parameters<
      NonNullable<Dispatcher.DispatchHandler['onResponseStart']>
    >
  ): void {
    this.#isOver = status === 401 && this.#retry()
    if (!this.#isOver) this.#handler.onResponseStart?.(controller, status, headers, message)
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#isOver) return this.#handler.onResponseData?.(controller, chunk)
    this.#drained += chunk.length
    if (this.#drained > MAX_DRAINED_BYTES) controller.abort(new Error('no longer wanted'))
  }

  onResponseEnd(
    ...given: Parameters<NonNullable<Dispatcher.DispatchHandler['onResponseEnd']>>
  ): void {
    if (!this.#isOver) this.#handler.onResponseEnd?.(...given)
  }

  onResponseError(controller: Dispatcher.DispatchController, error: Error): void {
    if (!this.#isOver) this.#handler.onResponseError?.(controller, error)
  }
}
