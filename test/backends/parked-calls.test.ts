/** How many calls wait for their callers, and for how long: docs/reliability.md, "What is bounded". */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Call, JsonObject } from '../../backends/index.js'
import { Cancellation, RawJson } from '../../backends/index.js'
import { ParkedCalls } from '../../backends/parked-calls.js'
import type { RequestOptions } from '../../backends/pending-requests.js'
import type { UpstreamClient } from '../../backends/upstream-client.js'
import { target } from '../support/targets.js'

const NEVER = new Promise<never>(() => undefined)

const call = (params: JsonObject = {}): Call =>
  ({
    method: 'tools/call',
    params: RawJson.fromValue<JsonObject>(params),
    caller: { capabilities: {} },
    cancellation: new Cancellation(),
    notify: () => undefined,
    room: () => undefined,
    ask: undefined,
  }) as unknown as Call

/** A server that asks as soon as it is let, and never answers. */
function startAsking() {
  const requests: RequestOptions[] = []
  const client = {
    request: (options: RequestOptions) => {
      requests.push(options)
      const replyTo = { target: 'a', id: 'q' }
      options.ask?.({ method: 'roots/list', params: RawJson.fromValue({}), replyTo } as never)
      return NEVER
    },
  } as unknown as UpstreamClient
  return { requests, client, parked: new ParkedCalls(target('a', { parkCalls: true })) }
}

describe('parked calls', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('are a thousand; beyond that a server is not let ask', () => {
    const { requests, client, parked } = startAsking()
    for (let count = 0; count < 1_001; count++) void parked.run(call(), client, 0)
    expect(requests).toHaveLength(1_001)
    expect(requests.filter(({ ask }) => ask !== undefined)).toHaveLength(1_000)
    expect(requests.at(-1)?.ask).toBeUndefined()
    parked.close()
  })

  it('wait ten minutes for their callers, and are given up', async () => {
    const { requests, client, parked } = startAsking()
    const { requestState } = (await parked.run(call(), client, 0)).value
    const state = String(requestState)
    expect(parked.has(state)).toBe(true)
    await vi.advanceTimersByTimeAsync(10 * 60_000 - 1)
    expect(parked.has(state)).toBe(true)
    expect(requests[0]?.cancellation?.isCancelled).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(parked.has(state)).toBe(false)
    expect(requests[0]?.cancellation?.isCancelled).toBe(true)
    await expect(parked.run(call({ requestState: state }), client, 0)).rejects.toMatchObject({
      rpcCode: -32602,
    })
  })
})
