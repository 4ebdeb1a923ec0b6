/** The way of HTTP requests to one server, and what they show there. */
import type { Dispatcher } from 'undici'
import type { SubjectToken } from './call.js'
import type { UpstreamTokens } from './oauth/tokens.js'

/** Of an answer that nobody wants, what is read to keep its connection. */
const MAX_DRAINED_BYTES = 64 * 1024

/** What hears of a request; also that it has to wait, and how to give it up meanwhile. */
export interface DoorHandler extends Dispatcher.DispatchHandler {
  onWaiting?(giveUp: () => void): void
}

export interface HttpDoor {
  /** Whether nothing can be sent any more. */
  readonly closed: boolean
  /**
   * What comes of it reaches `handler`. `subject` is the token of the caller that it is sent for; `party` is who takes
   * turns with others where it is a caller's request, of which only so many are sent at once.
   */
  dispatch(
    request: Dispatcher.DispatchOptions,
    handler: DoorHandler,
    subject: SubjectToken | undefined,
    party: string | undefined,
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
    handler: DoorHandler,
    subject: SubjectToken | undefined,
    party: string | undefined,
  ): void {
    const whose = this.#account === 'own' ? undefined : (subject ?? this.#account())
    this.#send(request, handler, whose, party, true)
  }

  #send(
    request: Dispatcher.DispatchOptions,
    handler: DoorHandler,
    subject: SubjectToken | undefined,
    party: string | undefined,
    mayRetry: boolean,
  ): void {
    const fail = (error: unknown): void => {
      handler.onResponseError?.(NO_CONTROLLER, error as Error)
    }
    const sendWith = (token: string | undefined): void => {
      if (token === undefined) return this.#door.dispatch(request, handler, subject, party)
      const retry = (): boolean => {
        if (!mayRetry || !this.#tokens.refused(token, subject)) return false
        this.#send(request, handler, subject, party, false)
        return true
      }
      const headers = { ...(request.headers as object), authorization: `Bearer ${token}` }
      const retrying = new RetryingHandler(handler, retry)
      this.#door.dispatch({ ...request, headers }, retrying, subject, party)
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
export const NO_CONTROLLER = undefined as unknown as Dispatcher.DispatchController

/** Passes everything on but a 401 after which the request is sent anew. */
class RetryingHandler implements DoorHandler {
  readonly #handler: DoorHandler
  readonly #retry: () => boolean
  #isOver = false
  #drained = 0

  constructor(handler: DoorHandler, retry: () => boolean) {
    this.#handler = handler
    this.#retry = retry
  }

  onWaiting(giveUp: () => void): void {
    this.#handler.onWaiting?.(giveUp)
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
