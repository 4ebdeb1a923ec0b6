/**
 * A legacy caller of a modern server: what the server says it needs is asked of the caller while its call is open, and
 * the request is sent anew with the answers, until there is a result (mcp-protocol.md §4.3).
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Call } from './call.js'
import { afterRunning, BackendProtocolError, CallCancelledError } from './errors.js'
import { modernCapabilities, refusalOf } from './server-requests.js'
import type { Target } from './target.js'
import { idOf } from './target.js'
import type { ErrorMessage, RequestId, ResultMessage } from './wire/json-rpc.js'
import { ErrorCode, JsonRpcError } from './wire/json-rpc.js'
import type { JsonObject, RawObject } from './wire/raw-json.js'
import {
  EMPTY_OBJECT,
  isJsonObject,
  joinMembers,
  RawJson,
  rawMembers,
  withMembers,
} from './wire/raw-json.js'

/** A server that needs more than this will not come to an end. */
const MAX_ROUNDS = 10
/** Between rounds in which the server only wants to be called again; longer each time. */
const PAUSE_MS = 50
const LONGEST_PAUSE_MS = 1_000

/** What this asks, the server never hears of: the answer is wanted in this process and nowhere else. */
export const NO_CONNECTION = ''

type Answer = ResultMessage | ErrorMessage

export class InputLoop {
  readonly #target: Target
  readonly #waiting = new Map<RequestId, (answer: Answer) => void>()

  constructor(target: Target) {
    this.#target = target
  }

  isWaitingFor(id: RequestId): boolean {
    return this.#waiting.has(id)
  }

  /** Hands over what a caller answers. Returns false where the question was none of ours. */
  settle(id: RequestId, answer: Answer): boolean {
    const take = this.#waiting.get(id)
    this.#waiting.delete(id)
    take?.(answer)
    return take !== undefined
  }

  /** @throws as `send`; CallCancelledError; the caller's own JsonRpcError to what cannot be declined */
  async run(call: Call, send: (call: Call) => Promise<RawObject>): Promise<RawObject> {
    let current = call
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const result = await send(current).catch((error: unknown) => {
        throw round === 0 ? error : afterRunning(error)
      })
      if (result.value['resultType'] !== 'input_required') return result
      const members = rawMembers(result.text)
      const requests = members.get('inputRequests')
      if (requests === undefined) await sleep(Math.min(PAUSE_MS * 2 ** round, LONGEST_PAUSE_MS))
      const inputResponses =
        requests === undefined ? undefined : await this.#gather(call, rawMembers(requests))
      const requestState = members.get('requestState')
      current = { ...call, params: withMembers(call.params, { inputResponses, requestState }) }
    }
    throw this.#protocolError('the server asked for input again and again')
  }

  /** Asks everything at once. Returns the answers as JSON text. */
  async #gather(call: Call, requests: ReadonlyMap<string, string>): Promise<string> {
    const answers = [...requests].map(
      async ([key, text]) => [key, await this.#ask(call, text)] as const,
    )
    return joinMembers(await Promise.all(answers))
  }

  async #ask(call: Call, text: string): Promise<string> {
    const request = RawJson.fromText<JsonObject>(text)
    const method = isJsonObject(request.value) ? request.value['method'] : undefined
    if (typeof method !== 'string')
      throw this.#protocolError('the server asked for what is no request')
    const given = rawMembers(text).get('params')
    const params = given === undefined ? EMPTY_OBJECT : RawJson.fromText<JsonObject>(given)
    const id = randomUUID()
    const refusal = refusalOf(
      { kind: 'request', id, method, params },
      modernCapabilities(call.caller, this.#target),
    )
    if (refusal !== undefined)
      throw this.#protocolError(`the server asked in vain: ${refusal.message}`)
    const answer = await this.#answered(call, id, method, withElicitationId(params))
    if (answer.kind === 'result') return answer.result.text
    // Who will not say is taken for who declines; without roots or a sample there is no going on.
    if (method === 'elicitation/create') return '{"action":"cancel"}'
    throw answer.error
  }

  #answered(call: Call, id: string, method: string, params: RawObject): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const { cancellation } = call
      const onCancel = (): void => {
        this.#waiting.delete(id)
        reject(new CallCancelledError(this.#target.name, 'the caller cancelled the request'))
      }
      cancellation.add(onCancel)
      this.#waiting.set(id, (answer) => {
        cancellation.delete(onCancel)
        resolve(answer)
      })
      const replyTo = {
        target: idOf(this.#target),
        sessionKey: '',
        upstreamSessionId: undefined,
        connection: NO_CONNECTION,
        id,
        progressToken: undefined,
      }
      if (call.ask?.({ method, params, replyTo }) === true) return
      this.#waiting.delete(id)
      cancellation.delete(onCancel)
      reject(new JsonRpcError(ErrorCode.InternalError, 'the client has disconnected'))
    })
  }

  #protocolError(message: string): BackendProtocolError {
    return new BackendProtocolError(this.#target.name, message)
  }
}

/** Revisions before have one for each elicitation by URL. */
function withElicitationId(params: RawObject): RawObject {
  const { mode, elicitationId } = params.value
  if (mode !== 'url' || elicitationId !== undefined) return params
  return withMembers(params, { elicitationId: JSON.stringify(randomUUID()) })
}
