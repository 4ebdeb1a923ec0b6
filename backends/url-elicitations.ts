/**
 * Elicitations by URL that callers of one upstream session were asked for (2025-11-25 client/elicitation), so that
 * word of their completion reaches the caller concerned and nobody else, also when no call runs any more. Two
 * servers may give out the same id, and callers see one server, so an id is told with its target.
 */
import { LRUCache } from 'lru-cache'
import type { Caller, CallerNotification, CallNotification } from './call.js'
import type { Target } from './target.js'
import { idOf } from './target.js'
import { ErrorCode, JsonRpcError } from './wire/json-rpc.js'
import type { JsonObject, JsonValue, RawObject } from './wire/raw-json.js'
import { rawElements } from './wire/json-text.js'
import { isJsonObject, RawJson, rawMembers, withMembers } from './wire/raw-json.js'

const MAX_REMEMBERED = 1_000

interface Completion {
  readonly caller: Caller
  readonly notification: CallNotification & CallerNotification
}

export class UrlElicitations {
  readonly #target: Target
  readonly #callers = new LRUCache<string, Caller>({ max: MAX_REMEMBERED })

  constructor(target: Target) {
    this.#target = target
  }

  /** The params of an `elicitation/create`, or one entry of an error, as the caller gets it. */
  asked(elicitation: RawObject, caller: Caller | undefined): RawObject {
    const { elicitationId } = elicitation.value
    if (typeof elicitationId !== 'string') return elicitation
    if (caller !== undefined) this.#callers.set(elicitationId, caller)
    return this.#exposed(elicitation, elicitationId)
  }

  /** An error as the caller gets it: one that says which URLs have to be visited first names elicitations too. */
  required(error: JsonRpcError, caller: Caller | undefined): JsonRpcError {
    if (error.rpcCode !== ErrorCode.UrlElicitationRequired || error.data === undefined) return error
    const { data } = error
    if (!isJsonObject(data.value) || !Array.isArray(data.value['elicitations'])) return error
    const entries = rawElements(rawMembers(data.text).get('elicitations') ?? '[]').map((text) => {
      const entry = RawJson.fromText<JsonValue>(text)
      if (!isJsonObject(entry.value)) return text
      return this.asked(RawJson.fromText<JsonObject>(text, entry.value), caller).text
    })
    const object = RawJson.fromText<JsonObject>(data.text, data.value)
    const exposed = withMembers(object, { elicitations: `[${entries.join(',')}]` })
    return new JsonRpcError(error.rpcCode, error.message, exposed)
  }

  /** Whom a completion concerns, and what to tell it. Of one that nobody here was asked for, nobody hears. */
  completed(params: RawObject): Completion | undefined {
    const { elicitationId } = params.value
    if (typeof elicitationId !== 'string') return undefined
    const caller = this.#callers.get(elicitationId)
    if (caller === undefined) return undefined
    const method = 'notifications/elicitation/complete'
    return { caller, notification: { method, params: this.#exposed(params, elicitationId) } }
  }

  #exposed(object: RawObject, elicitationId: string): RawObject {
    const exposed = `${idOf(this.#target)}/${elicitationId}`
    return withMembers(object, { elicitationId: JSON.stringify(exposed) })
  }
}
