/** POSTs of 2026-07-28: each stands for itself, so all that lives here is what is under way. */
import type { IncomingMessage } from 'node:http'
import type { RequestMessage } from '../../backends/index.js'
import {
  CallCancelledError,
  Cancellation,
  errorText,
  MODERN_VERSION,
  resultMessage,
} from '../../backends/index.js'
import type { Choice, Permit, VirtualServer } from '../../federation/index.js'
import type { Principal } from '../auth/principal.js'
import { RefusedError } from '../http/refusal.js'
import type { RequestObserver } from '../telemetry/observation.js'
import { Speaker } from '../telemetry/speaker.js'
import type { EndpointOptions, Visit } from './endpoint.js'
import type { KeepAlive } from './event-stream.js'
import { modernError, performModern, requireMethod } from './modern.js'
import { ModernListen } from './modern-listen.js'
import type { ModernRequest } from './modern-request.js'
import { checkParamHeaders, readModernRequest } from './modern-request.js'
import { ModernResponse } from './modern-response.js'
import type { Terms } from './terms.js'
import { requireScopes } from './terms.js'

export class ModernEndpoint {
  readonly #options: EndpointOptions
  readonly #keepAlive: KeepAlive
  readonly #listens = new Set<ModernListen>()
  #draining = false

  constructor(options: EndpointOptions, keepAlive: KeepAlive) {
    this.#options = options
    this.#keepAlive = keepAlive
  }

  /** @throws RefusedError for what is not the protocol */
  async handle(
    message: RequestMessage,
    { request: incoming, response: outgoing, server: whole, principal }: Visit,
    observation: RequestObserver,
  ): Promise<void> {
    const request = readModernRequest(incoming, message)
    const server = whole.with(this.#choice(incoming, request, principal))
    const cancellation = new Cancellation()
    const response = new ModernResponse(outgoing, this.#keepAlive, () => cancellation.cancel())
    const refuse = (cause: unknown): void => {
      const { onInternalError } = this.#options
      const { error, status } = modernError(cause, request.capabilities, onInternalError)
      const text = errorText(request.id, error)
      observation.failed(cause, error.rpcCode, text)
      if (!(cause instanceof CallCancelledError)) response.answer(text, status)
    }
    const { client } = request
    const terms = this.#options.termsFor({ principal, request: incoming, client }, outgoing)
    const { permit } = terms
    observation.spokenBy(new Speaker('modern', MODERN_VERSION, client), terms, server)
    try {
      requireMethod(server, request)
      requireScopes(terms, server, request)
      const arrival = server.arrival(request)
      if (arrival !== undefined) await arrival
      if (request.method === 'subscriptions/listen') {
        this.#options.overload.becomesStream(outgoing)
        await this.#listen(request, incoming, response, cancellation, whole, terms)
        // What comes from now on is no answer; how long it comes says nothing about us.
        return observation.succeeded('')
      }
      if (request.method === 'tools/call') this.#checkParams(incoming, request, server, permit)
      const { callers } = this.#options
      const result = await performModern(
        server,
        request,
        cancellation,
        response,
        callers,
        principal.id,
        terms,
        observation,
      )
      const answer = resultMessage(request.id, result)
      observation.succeeded(answer)
      response.answer(answer, 200)
    } catch (cause) {
      if (cause instanceof RefusedError) throw cause
      refuse(cause)
    }
  }

  get listens(): number {
    return this.#listens.size
  }

  /** The process is about to end: whoever listens is told, and comes back elsewhere. */
  drain(): void {
    this.#draining = true
    for (const listen of this.#listens) listen.finish()
  }

  #checkParams(
    incoming: IncomingMessage,
    request: ModernRequest,
    server: VirtualServer,
    permit: Permit | undefined,
  ): void {
    const { name } = request.params.value
    if (typeof name !== 'string') return
    checkParamHeaders(incoming, request, server.traitsOf(request, permit))
  }

  /** Which variants answer the request; asked again for as long as it runs, they may be others. */
  #choice(
    incoming: IncomingMessage,
    { client, method, params }: ModernRequest,
    principal: Principal,
  ): Choice | undefined {
    const { variants } = this.#options
    if (variants.isIdle) return undefined
    return variants.forRequest({ principal, request: incoming, client }, method, params)
  }

  async #listen(
    request: ModernRequest,
    incoming: IncomingMessage,
    response: ModernResponse,
    cancellation: Cancellation,
    whole: VirtualServer,
    { principal, permit, subject }: Terms,
  ): Promise<void> {
    if (this.#draining) throw new RefusedError(503, 'this gateway is stopping; try again')
    const { callers, onCallerGone } = this.#options
    const caller = callers.of(principal.id, request.capabilities, subject)
    const choice = (): Choice | undefined => this.#choice(incoming, request, principal)
    const listen = new ModernListen(whole, request, response, caller, permit, choice)
    const end = (): void => {
      this.#listens.delete(listen)
      listen.stop()
      onCallerGone(listen.callerKey)
    }
    this.#listens.add(listen)
    cancellation.add(end)
    try {
      await listen.start()
    } catch (error) {
      end()
      throw error
    }
    if (cancellation.isCancelled) end()
  }
}
