/**
 * The way of a caller's request into the caller's session, and again where it failed and may be sent again. Between eras,
 * what the server asks in the course of a call has to find another way to the caller.
 */
import type { AttemptsOptions } from './attempts.js'
import { Attempts } from './attempts.js'
import type { Call, Caller } from './call.js'
import type { CircuitBreaker } from './circuit-breaker.js'
import type { CallerSessions } from './caller-sessions.js'
import { CallCancelledError, StatefulSessionLostError, UpstreamSessionLostError } from './errors.js'
import { InputLoop } from './input-loop.js'
import { ParkedCalls } from './parked-calls.js'
import { RetryBudget } from './retry-budget.js'
import type { Target } from './target.js'
import { idOf } from './target.js'
import { bridgeTask, isBridged } from './task-bridge.js'
import type { RequestOptions } from './pending-requests.js'
import type { UpstreamClient } from './upstream-client.js'
import type { ErrorMessage, RequestId, ResultMessage } from './wire/json-rpc.js'
import type { RawObject } from './wire/raw-json.js'

export class CallSender {
  readonly #target: Target
  readonly #sessions: CallerSessions
  readonly #options: Pick<AttemptsOptions, 'target' | 'budget' | 'closing' | 'isWelcome'>
  readonly #budget: RetryBudget
  readonly #breaker: CircuitBreaker
  readonly #onSessionLost: () => Promise<void>
  readonly #inputLoop: InputLoop
  readonly #parkedCalls: ParkedCalls

  /** Nothing is sent again once `closing` is aborted. `onSessionLost` is waited for before another is opened. Never rejects. */
  constructor(
    target: Target,
    sessions: CallerSessions,
    breaker: CircuitBreaker,
    closing: AbortSignal,
    onSessionLost: () => Promise<void>,
  ) {
    this.#target = target
    this.#sessions = sessions
    this.#breaker = breaker
    this.#onSessionLost = onSessionLost
    this.#budget = new RetryBudget(target.retries.budget)
    const isWelcome = (): boolean => breaker.isClosed
    this.#options = { target, budget: this.#budget, closing, isWelcome }
    this.#inputLoop = new InputLoop(target)
    this.#parkedCalls = new ParkedCalls(target)
  }

  /** What has been sent again so far. */
  get retries(): number {
    return this.#budget.taken
  }

  /** @throws JsonRpcError as the server gave it, or one of the errors of `errors.ts` */
  async send(call: Call): Promise<RawObject> {
    // The result of a task is waited for until there is one (2025-11-25 basic/utilities/tasks).
    const timeoutMs =
      call.method === 'tasks/result' ? 0 : (call.tool?.timeoutMs ?? this.#target.timeouts.callMs)
    if (this.#target.stateful && this.#isElsewhere(call.caller)) {
      const message = 'what the session keeps is at another server of this target'
      throw new StatefulSessionLostError(this.#target.name, message)
    }
    const startedAt = performance.now()
    this.#budget.earn()
    let attempts: Attempts | undefined
    for (;;) {
      const { breaks } = this.#breaker
      let client: UpstreamClient | undefined
      try {
        // The caller may have gone for good, and nobody would end a session that is opened for it now.
        if (call.cancellation.isCancelled) throw this.#cancelled()
        const session = this.#sessions.get(call.caller)
        client = session instanceof Promise ? await session : session
        if (mayHearUnasked(call)) await client.listen()
        const result = await this.#request(client, call, attempts?.leftMs ?? timeoutMs)
        this.#breaker.succeeded()
        return result
      } catch (error) {
        this.#breaker.failed(error, breaks)
        const isLoss = error instanceof UpstreamSessionLostError && client !== undefined
        if (isLoss) {
          this.#sessions.discard(client as UpstreamClient)
          await this.#onSessionLost()
        }
        if (isLoss && call.caller.places?.has(idOf(this.#target)) === true) {
          throw new StatefulSessionLostError(this.#target.name, error.message, error)
        }
        attempts ??= this.#attempts(call, timeoutMs, startedAt)
        await attempts.orThrow(error, client === undefined)
      }
    }
  }

  /** Sends a request of the gateway's own, which changes nothing, in a session of its own. @throws as `send` */
  async ask(
    session: () => UpstreamClient,
    request: RequestOptions,
    timeoutMs: number,
  ): Promise<RawObject> {
    const startedAt = performance.now()
    this.#budget.earn()
    let attempts: Attempts | undefined
    for (;;) {
      try {
        return await session().request(request, attempts?.leftMs ?? timeoutMs)
      } catch (error) {
        // Whoever keeps that session opens another.
        if (error instanceof UpstreamSessionLostError) throw error
        attempts ??= this.#attempts(request, timeoutMs, startedAt)
        await attempts.orThrow(error, false)
      }
    }
  }

  /** Whether an answer of this id is waited for in this process. */
  isWaitingFor(id: RequestId): boolean {
    return this.#inputLoop.isWaitingFor(id)
  }

  /** Hands over what a caller answers. Returns false where the question was none of ours. */
  settle(id: RequestId, answer: ResultMessage | ErrorMessage): boolean {
    return this.#inputLoop.settle(id, answer)
  }

  /** Whether a call is parked here of which this is what its caller gives back. */
  isParked(requestState: string): boolean {
    return this.#parkedCalls.has(requestState)
  }

  /** Gives up what waits for its caller. */
  close(): void {
    this.#parkedCalls.close()
  }

  #cancelled(): CallCancelledError {
    return new CallCancelledError(this.#target.name, 'the caller cancelled the request')
  }

  /** Whether the caller has its session with this target at another server, of those that it has or had. */
  #isElsewhere({ places }: Caller): boolean {
    if (places === undefined || places.has(idOf(this.#target))) return false
    const { name } = this.#target
    return [...places.keys()].some((id) => id.split('@', 1)[0] === name)
  }

  #attempts(request: RequestOptions, timeoutMs: number, startedAt: number): Attempts {
    return new Attempts(request, { ...this.#options, timeoutMs, startedAt })
  }

  #request(client: UpstreamClient, call: Call, timeoutMs: number): Promise<RawObject> {
    if (client.era === call.caller.era) return client.request(call, timeoutMs)
    return client.era === 'modern'
      ? this.#inputLoop.run(call, (it) => client.request(it, timeoutMs))
      : isBridged(call)
        ? bridgeTask(call, client, timeoutMs)
        : this.#parkedCalls.run(call, client, timeoutMs)
  }
}

/**
 * Whether the server may say something about the call that does not come on its answer stream: what becomes of a task
 * does not, and servers that answer with JSON have no such stream.
 */
function mayHearUnasked({ params, wantsProgress, caller }: Call): boolean {
  if (wantsProgress || caller.logLevel !== undefined || params.value['task'] !== undefined) {
    return true
  }
  const { sampling, elicitation, roots } = caller.capabilities
  return sampling !== undefined || elicitation !== undefined || roots !== undefined
}
