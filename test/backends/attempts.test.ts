import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Attempts } from '../../backends/attempts.js'
import { Cancellation } from '../../backends/cancellation.js'
import {
  BackendCredentialsError,
  BackendProtocolError,
  BackendTimeoutError,
  BackendUnreachableError,
  CallCancelledError,
  UpstreamSessionLostError,
} from '../../backends/errors.js'
import { JsonRpcError } from '../../backends/index.js'
import type { JsonObject } from '../../backends/index.js'
import { RetryBudget } from '../../backends/retry-budget.js'
import { target } from '../support/targets.js'

const a = target('a')
const unsent = new BackendUnreachableError(a.name, 'refused', false)
const reset = new BackendUnreachableError(a.name, 'reset', true)
const status = (code: number, retryAfterMs?: number) =>
  new BackendProtocolError(a.name, `HTTP ${code}`, code, retryAfterMs)
const lost = new UpstreamSessionLostError(a.name, 'HTTP 404')
const traits = { paramHeaders: [], taskSupport: 'forbidden' } as const

interface World {
  readonly method?: string
  readonly mayRepeat?: boolean
  readonly retries?: JsonObject
  readonly timeoutMs?: number
  readonly cancellation?: Cancellation
  readonly endpoint?: JsonObject
}

function attemptsOf(world: World = {}): Attempts {
  const { method = 'tools/call', mayRepeat = false, retries = {}, timeoutMs = 0 } = world
  const { cancellation = new Cancellation(), endpoint = {} } = world
  return new Attempts(
    { method, tool: { ...traits, mayRepeat }, cancellation },
    {
      target: target('a', { retries, ...endpoint }),
      budget: new RetryBudget(0.2),
      closing: new AbortController().signal,
      isWelcome: () => true,
      timeoutMs,
      startedAt: performance.now(),
    },
  )
}

/** Milliseconds until it is sent again; `undefined` where it is not. */
async function waitOf(attempts: Attempts, error: Error, isUnsent = false) {
  const startedAt = Date.now()
  const outcome = attempts.orThrow(error, isUnsent).then(
    () => Date.now() - startedAt,
    (thrown: unknown) => {
      expect(thrown).toBe(error)
      return undefined
    },
  )
  await vi.runAllTimersAsync()
  return outcome
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('a request that failed is sent again', () => {
  it.each([
    ['tools/call', 'that was never sent', unsent, false, true],
    ['tools/call', 'in a session that could not be opened', status(503), true, true],
    ['tools/call', 'in a session that the server forgot', lost, false, true],
    ['tools/call', 'that broke off', reset, false, false],
    ['tools/call', 'answered 429', status(429), false, false],
    ['tools/call', 'answered 503', status(503), false, false],
    ['tasks/cancel', 'answered 503', status(503), false, false],
    ['resources/read', 'that broke off', reset, false, true],
    ['resources/read', 'answered 429', status(429), false, true],
    ['prompts/get', 'answered 502', status(502), false, true],
    ['completion/complete', 'answered 503', status(503), false, true],
    ['tools/list', 'answered 504', status(504), false, true],
    ['tools/list', 'answered 500', status(500), false, false],
    ['tools/list', 'that timed out', new BackendTimeoutError(a.name, 'late'), false, false],
    ['tools/list', 'not believed', new BackendCredentialsError(a.name, '401'), false, false],
    ['tools/list', 'answered by the server', new JsonRpcError(-32603, 'no'), false, false],
  ])('%s %s', async (method, _, error, isUnsent, isAgain) => {
    const waited = await waitOf(attemptsOf({ method }), error, isUnsent)
    expect(waited !== undefined).toBe(isAgain)
  })

  it('if its tool says that it may, and is believed', async () => {
    expect(await waitOf(attemptsOf({ mayRepeat: true }), reset)).toBeTypeOf('number')
    const cancel = attemptsOf({ mayRepeat: true, method: 'tasks/cancel' })
    expect(await waitOf(cancel, reset)).toBeUndefined()
  })

  it('as often as the configuration says, waiting longer each time, never as long as others', async () => {
    const attempts = attemptsOf({ retries: { attempts: 3, backoff: '100ms' } })
    const waits = [await waitOf(attempts, unsent), await waitOf(attempts, unsent)]
    waits.push(await waitOf(attempts, unsent))
    for (const [index, waited] of waits.entries()) {
      expect(waited).toBeGreaterThanOrEqual(50 * 2 ** index)
      expect(waited).toBeLessThanOrEqual(100 * 2 ** index + 1)
    }
    expect(await waitOf(attempts, unsent)).toBeUndefined()
    expect(await waitOf(attemptsOf({ retries: { attempts: 0 } }), unsent)).toBeUndefined()
  })

  it('after the failures that the configuration names', async () => {
    const retries = { on: ['503', 500] }
    const of = () => attemptsOf({ method: 'tools/list', retries })
    expect(await waitOf(of(), status(503))).toBeTypeOf('number')
    expect(await waitOf(of(), status(500))).toBeTypeOf('number')
    expect(await waitOf(of(), status(502))).toBeUndefined()
    expect(await waitOf(of(), unsent)).toBeUndefined()
  })

  it('once in a new session, at once, and no more', async () => {
    const attempts = attemptsOf()
    expect(await waitOf(attempts, lost)).toBe(0)
    expect(await waitOf(attempts, lost)).toBeUndefined()
  })

  it('when the server wants it', async () => {
    const of = () => attemptsOf({ method: 'resources/read' })
    expect(await waitOf(of(), status(429, 3_000))).toBe(3_000)
    expect(await waitOf(of(), status(429, 3_600_000))).toBeUndefined()
  })

  it('unless its deadline passes first', async () => {
    const of = () => attemptsOf({ method: 'resources/read', timeoutMs: 2_000 })
    expect(await waitOf(of(), status(429, 1_000))).toBe(1_000)
    expect(await waitOf(of(), status(429, 2_000))).toBeUndefined()
    const attempts = attemptsOf({ timeoutMs: 2_000 })
    await waitOf(attempts, unsent)
    expect(attempts.leftMs).toBeLessThanOrEqual(1_951)
  })

  it('unless it is a child process, which is started again', async () => {
    const endpoint = { mcp: undefined, stdio: { command: 'x' } } as unknown as JsonObject
    expect(await waitOf(attemptsOf({ endpoint }), unsent)).toBeUndefined()
  })

  it('unless it is cancelled, also while it waits', async () => {
    const cancellation = new Cancellation()
    const attempts = attemptsOf({
      method: 'resources/read',
      cancellation,
      retries: { backoff: '1h' },
    })
    // A server that wants more than a minute is not waited for; an hour of our own is cut short.
    expect(await waitOf(attempts, unsent)).toBeUndefined()
    const waiting = attemptsOf({ cancellation, retries: { backoff: '50s' } })
    queueMicrotask(() => cancellation.cancel())
    await expect(waiting.orThrow(unsent, false)).rejects.toBeInstanceOf(CallCancelledError)
    expect(vi.getTimerCount()).toBe(0)
  })
})
