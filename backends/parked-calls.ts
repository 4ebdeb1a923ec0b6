/**
 * A modern caller of a server of the 2025 era (mcp-protocol.md §4.2). What the server asks while it works on a call is
 * given to the caller as the result of its request, and the call waits, parked, until the caller comes back with the
 * answers. An error that names URLs to visit first needs no waiting: the call is made anew.
 */
import { randomUUID } from 'node:crypto'
import type { Call, ReplyTo, ServerRequest } from './call.js'
import { Cancellation } from './cancellation.js'
import type { Target } from './target.js'
import type { UpstreamClient } from './upstream-client.js'
import { ErrorCode, JsonRpcError, resultText } from './wire/json-rpc.js'
import type { JsonObject, RawObject } from './wire/raw-json.js'
import { rawElements } from './wire/json-text.js'
import { isJsonObject, joinMembers, RawJson, rawMembers, withMembers } from './wire/raw-json.js'

/** Calls of one backend waiting at once; what goes beyond is not asked. */
const MAX_PARKED = 1_000
/** How long a caller may take to come back. */
const PATIENCE_MS = 10 * 60_000
/** A server that asks several things asks them in one breath. */
const BREATH_MS = 20

/** What the caller gives back with its answers; sealed on its way by federation. */
const AGAIN = 'again'

interface Question {
  readonly method: string
  readonly params: RawObject
  readonly replyTo: ReplyTo
}

interface ParkedCall {
  readonly id: string
  readonly client: UpstreamClient
  readonly questions: Map<string, Question>
  readonly cancellation: Cancellation
  /** The request of the caller that hears of the call now. */
  attached: Call | undefined
  outcome: Promise<RawObject>
  isSettled: boolean
  wake: () => void
  expiry: NodeJS.Timeout | undefined
  asked: number
}

export class ParkedCalls {
  readonly #target: Target
  readonly #parked = new Map<string, ParkedCall>()

  constructor(target: Target) {
    this.#target = target
  }

  /** @throws as `UpstreamClient.request` */
  async run(call: Call, client: UpstreamClient, timeoutMs: number): Promise<RawObject> {
    const { requestState } = call.params.value
    if (typeof requestState === 'string' && requestState !== AGAIN) {
      const parked = this.#parked.get(requestState)
      if (parked === undefined) {
        const message = 'the call that this belongs to is no longer waiting here; call again'
        throw new JsonRpcError(ErrorCode.InvalidParams, message)
      }
      this.#answer(parked, call)
      return this.#next(parked, call)
    }
    const params = withMembers(call.params, { inputResponses: undefined, requestState: undefined })
    const plain: Call = { ...call, params }
    if (!this.#target.parkCalls || this.#parked.size >= MAX_PARKED) {
      return client.request(plain, timeoutMs).catch((error: unknown) => visitFirst(error, call))
    }
    return this.#next(this.#start(plain, client, timeoutMs), call)
  }

  /** Whether a call waits here of which this is what its caller gives back. */
  has(requestState: string): boolean {
    return this.#parked.has(requestState)
  }

  /** Gives up what waits. */
  close(): void {
    for (const { cancellation, expiry } of this.#parked.values()) {
      clearTimeout(expiry)
      cancellation.cancel()
    }
    this.#parked.clear()
  }

  #start(call: Call, client: UpstreamClient, timeoutMs: number): ParkedCall {
    const parked: ParkedCall = {
      id: randomUUID(),
      client,
      questions: new Map(),
      cancellation: new Cancellation(),
      attached: undefined,
      outcome: Promise.reject(new TypeError('not called yet')),
      isSettled: false,
      wake: () => undefined,
      expiry: undefined,
      asked: 0,
    }
    parked.outcome.catch(() => undefined)
    const settle = (): void => {
      parked.isSettled = true
      parked.wake()
    }
    parked.outcome = client.request(
      {
        ...call,
        cancellation: parked.cancellation,
        notify: (notification) => parked.attached?.notify(notification),
        room: () => parked.attached?.room(),
        ask: (request: ServerRequest) => {
          parked.questions.set(`q${++parked.asked}`, request)
          setTimeout(() => parked.wake(), BREATH_MS)
          return true
        },
        withdraw: (id) => {
          for (const [key, { replyTo }] of parked.questions) {
            if (replyTo.id === id) parked.questions.delete(key)
          }
        },
      },
      timeoutMs,
    )
    parked.outcome.then(settle, settle)
    this.#parked.set(parked.id, parked)
    return parked
  }

  /** Waits for the result, or for the next questions. A caller that goes away meanwhile gives the call up. */
  async #next(parked: ParkedCall, call: Call): Promise<RawObject> {
    clearTimeout(parked.expiry)
    const giveUp = (): void => parked.cancellation.cancel()
    if (call.cancellation.isCancelled) giveUp()
    call.cancellation.add(giveUp)
    parked.attached = call
    try {
      while (!parked.isSettled && parked.questions.size === 0) {
        await new Promise<void>((resolve) => (parked.wake = resolve))
      }
      if (parked.isSettled) {
        this.#parked.delete(parked.id)
        return await parked.outcome.catch((error: unknown) => visitFirst(error, call))
      }
    } finally {
      call.cancellation.delete(giveUp)
      parked.attached = undefined
    }
    parked.expiry = setTimeout(() => {
      this.#parked.delete(parked.id)
      parked.cancellation.cancel()
    }, PATIENCE_MS).unref()
    return inputRequired(
      [...parked.questions].map(([key, it]) => [key, it.method, it.params]),
      parked.id,
    )
  }

  /** Passes on what the caller brings; what it leaves out is asked again. */
  #answer({ client, questions }: ParkedCall, { params }: Call): void {
    const responses = rawMembers(params.text).get('inputResponses')
    if (responses === undefined || !isJsonObject(params.value['inputResponses'])) return
    for (const [key, text] of rawMembers(responses)) {
      const question = questions.get(key)
      const response = RawJson.fromText<JsonObject>(text)
      if (question === undefined || !isJsonObject(response.value)) continue
      questions.delete(key)
      client.reply(resultText(question.replyTo.id, response))
      client.answered(question.replyTo.id)
    }
  }
}

/** URLs to visit first, as questions of this era; nothing of the call is kept. */
function visitFirst(error: unknown, call: Call): RawObject {
  const isAsk =
    error instanceof JsonRpcError &&
    error.rpcCode === ErrorCode.UrlElicitationRequired &&
    isJsonObject(error.data?.value) &&
    Array.isArray(error.data.value['elicitations'])
  if (!isAsk || error.data === undefined) throw error
  const { elicitation } = call.caller.capabilities
  if (!isJsonObject(elicitation) || elicitation['url'] === undefined) {
    throw new JsonRpcError(
      ErrorCode.MissingClientCapability,
      'this needs a client that can send its user to a URL',
      RawJson.fromValue({ requiredCapabilities: { elicitation: { url: {} } } }),
    )
  }
  const entries = rawElements(rawMembers(error.data.text).get('elicitations') ?? '[]')
  return inputRequired(
    entries.map((text, index) => {
      const params = withMembers(RawJson.fromText<JsonObject>(text), { elicitationId: undefined })
      return [`url${index + 1}`, 'elicitation/create', withMembers(params, { mode: '"url"' })]
    }),
    AGAIN,
  )
}

function inputRequired(
  questions: readonly (readonly [key: string, method: string, params: RawObject])[],
  requestState: string,
): RawObject {
  const requests = questions.map(([key, method, params]) => {
    const tail = method === 'roots/list' ? '' : `,"params":${params.text}`
    return [key, `{"method":${JSON.stringify(method)}${tail}}`] as const
  })
  return RawJson.fromText(
    joinMembers([
      ['resultType', '"input_required"'],
      ['inputRequests', joinMembers(requests)],
      ['requestState', JSON.stringify(requestState)],
    ]),
  )
}
