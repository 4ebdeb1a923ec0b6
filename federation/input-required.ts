/**
 * Results that ask the client for input (2026-07-28 basic/patterns/mrtr). What the server wants to get back is sealed
 * around the call it belongs to: a client can neither change it, nor use it elsewhere, nor for somebody else.
 */
import { createHash } from 'node:crypto'
import type { BackendId, Call, JsonObject, RawObject } from '../backends/index.js'
import { isJsonObject, joinMembers, RawJson, rawMembers, withMembers } from '../backends/index.js'
import { InvalidParamsError } from './errors.js'

/** Seals and opens what clients carry. */
export interface StateSealer {
  /** Where other processes reach this one. */
  readonly place?: string | undefined
  seal(text: string): string
  /** `undefined` for what is not ours. */
  open(sealed: string): string | undefined
}

interface SealedState {
  readonly target: BackendId
  readonly principal: string
  readonly call: string
  readonly expires: number
  /** The server's own; absent where it gave none. */
  readonly inner?: string
  /** Where the process is reached that alone can go on with the call; absent where each can. */
  readonly place?: string
}

/** How long a client may take to come back with its answers. */
const LIFETIME_MS = 3_600_000

/**
 * A call that may be one come back, with the server's own state in it.
 * @throws InvalidParamsError for state that is not ours, is old, or belongs to another call
 */
export function withInnerState(call: Call, target: BackendId, sealer: StateSealer): Call {
  if (call.params.value['requestState'] === undefined) return call
  const state = stateIn(call.params, sealer)
  const isOurs =
    state !== undefined &&
    state.target === target &&
    state.principal === call.caller.principal &&
    state.call === digestOf(call) &&
    state.expires > Date.now()
  if (!isOurs) throw new InvalidParamsError('"requestState" does not belong to this request')
  const inner = state.inner === undefined ? undefined : JSON.stringify(state.inner)
  return { ...call, params: withMembers(call.params, { requestState: inner }) }
}

/** Who sent a call for answers with which it may have come back; `undefined` for a first one, and for what is not ours. */
export function askerOf(params: RawObject, sealer: StateSealer): BackendId | undefined {
  return stateIn(params, sealer)?.target
}

/** Where the call goes on with which it may have come back; `undefined` for here, or anywhere. */
export function placeOfState(params: RawObject, sealer: StateSealer): string | undefined {
  return stateIn(params, sealer)?.place
}

function stateIn({ value }: RawObject, sealer: StateSealer): SealedState | undefined {
  const { requestState } = value
  const text = typeof requestState === 'string' ? sealer.open(requestState) : undefined
  // Authenticated by the seal: it is what `withSealedState` wrote.
  return text === undefined ? undefined : (JSON.parse(text) as SealedState)
}

/** The result as the client gets it; `forClient` makes each request fit for it. `isParked`: the call can go on here alone. */
export function withSealedState(
  result: RawObject,
  call: Call,
  target: BackendId,
  sealer: StateSealer,
  isParked: boolean,
  forClient: (method: string, params: RawObject) => RawObject,
): RawObject {
  const { requestState } = result.value
  const state: SealedState = {
    target,
    principal: call.caller.principal,
    call: digestOf(call),
    expires: Date.now() + LIFETIME_MS,
    ...(typeof requestState === 'string' ? { inner: requestState } : {}),
    ...(isParked && sealer.place !== undefined ? { place: sealer.place } : {}),
  }
  const sealed = JSON.stringify(sealer.seal(JSON.stringify(state)))
  return withFitRequests(withMembers(result, { requestState: sealed }), forClient)
}

/** A result, or a task, with each request in it made fit for the client. */
export function withFitRequests(
  result: RawObject,
  forClient: (method: string, params: RawObject) => RawObject,
): RawObject {
  if (!isJsonObject(result.value['inputRequests'])) return result
  const requests = rawMembers(result.text).get('inputRequests') ?? '{}'
  return withMembers(result, { inputRequests: mapRequests(requests, forClient) })
}

function mapRequests(
  requests: string,
  forClient: (method: string, params: RawObject) => RawObject,
): string {
  return joinMembers(
    [...rawMembers(requests)].map(([key, text]) => {
      const params = rawMembers(text).get('params')
      const request = RawJson.fromText<JsonObject>(text)
      const { method } = request.value
      if (typeof method !== 'string' || params === undefined) return [key, text] as const
      const changed = forClient(method, RawJson.fromText<JsonObject>(params))
      return [key, withMembers(request, { params: changed.text }).text] as const
    }),
  )
}

/** What makes a call the same call: all but what changes from one round to the next. */
function digestOf({ method, params }: Call): string {
  const { name, uri, arguments: given } = params.value
  const salient = JSON.stringify([method, name ?? null, uri ?? null, given ?? null])
  return createHash('sha256').update(salient).digest('base64url')
}
