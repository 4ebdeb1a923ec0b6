import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Circuit } from '../../backends/circuit-breaker.js'
import { CircuitBreaker } from '../../backends/circuit-breaker.js'
import {
  BackendCredentialsError,
  BackendProtocolError,
  BackendTimeoutError,
  BackendUnreachableError,
  CallCancelledError,
  UpstreamSessionLostError,
} from '../../backends/errors.js'
import type { JsonObject } from '../../backends/index.js'
import { JsonRpcError } from '../../backends/index.js'
import { target } from '../support/targets.js'

const { name } = target('a')
const PARTY = 'somebody'
const late = new BackendTimeoutError(name, 'late')
const refused = new BackendUnreachableError(name, 'refused', false)
const broken = new BackendUnreachableError(name, 'broken', true)
const status = (code: number) => new BackendProtocolError(name, `HTTP ${code}`, code)

function breakerOf(settings: JsonObject = {}) {
  const changes: Circuit[] = []
  const probes: { answer: () => void; fail: () => void }[] = []
  const breaker = new CircuitBreaker({
    target: name,
    settings: target('a', { circuitBreaker: settings }).circuitBreaker,
    probe: () =>
      new Promise<void>((answer, reject) => probes.push({ answer, fail: () => reject(late) })),
    onChange: (circuit) => changes.push(circuit),
    makeRoom: () => false,
    reasonFor: (error) => (error as Error).message,
  })
  const fail = (error: Error, times = 5): void => {
    for (let time = 0; time < times; time++) breaker.failed(error, breaker.breaks)
  }
  return { breaker, changes, probes, fail, statuses: () => changes.map((it) => it.status) }
}

/** How long this ejection lasts, in milliseconds. */
const lengthOf = (circuit: Circuit | undefined): number =>
  circuit === undefined || circuit.status === 'closed' ? 0 : circuit.until - Date.now()

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('a circuit breaker opens', () => {
  it.each([
    ['timeouts', late, true],
    ['refused connections', refused, true],
    ['broken connections, one after the other', broken, true],
    ['HTTP 500', status(500), true],
    ['HTTP 503', status(503), true],
    ['HTTP 429', status(429), false],
    ['answers that are no MCP', new BackendProtocolError(name, 'HTML'), false],
    ['errors of the server’s own', new JsonRpcError(-32603, 'no'), false],
    ['lost sessions', new UpstreamSessionLostError(name, 'HTTP 404'), false],
    ['refused credentials', new BackendCredentialsError(name, 'HTTP 401'), false],
    ['cancelled calls', new CallCancelledError(name, 'cancelled'), false],
  ])('after five %s: %j', (_, error, isOpen) => {
    const { breaker, fail } = breakerOf()
    fail(error, 4)
    expect(breaker.isClosed).toBe(true)
    fail(error, 1)
    expect(breaker.isClosed).toBe(!isOpen)
  })

  it('only if they came in a row', () => {
    const { breaker, fail } = breakerOf()
    fail(late, 4)
    breaker.succeeded()
    fail(late, 4)
    fail(new JsonRpcError(-32000, 'an answer'), 1)
    fail(late, 4)
    expect(breaker.isClosed).toBe(true)
  })

  it('not for one connection that breaks under many', () => {
    const { breaker } = breakerOf()
    const { breaks } = breaker
    for (let call = 0; call < 50; call++) breaker.failed(broken, breaks)
    expect(breaker.isClosed).toBe(true)
    for (let call = 0; call < 4; call++) breaker.failed(broken, breaker.breaks)
    expect(breaker.isClosed).toBe(false)
  })

  it('never where the configuration says so', () => {
    const { breaker, fail } = breakerOf({ consecutiveFailures: 0 })
    fail(late, 1_000)
    expect(breaker.isClosed).toBe(true)
  })
})

describe('an open circuit', () => {
  it('fails calls with the reason and when to come back', () => {
    const { breaker, fail, changes } = breakerOf()
    fail(late)
    const left = lengthOf(changes[0])
    expect(left).toBeGreaterThanOrEqual(27_000)
    expect(left).toBeLessThanOrEqual(33_000)
    vi.advanceTimersByTime(10_000)
    expect(() => breaker.admit(0, PARTY)).toThrow(
      expect.objectContaining({
        code: 'ERR_CIRCUIT_OPEN',
        retryAfterMs: left - 10_000,
        message: expect.stringMatching(/late.*try again in \d\d s/) as string,
      }),
    )
  })

  it('is closed by an answer of the server to the gateway itself', async () => {
    const { breaker, fail, changes, probes, statuses } = breakerOf()
    fail(late)
    expect(probes).toHaveLength(0)
    await vi.advanceTimersByTimeAsync(lengthOf(changes[0]))
    expect(probes).toHaveLength(1)
    expect(() => breaker.admit(0, PARTY)).toThrow('try again in 1 s')
    probes[0]?.answer()
    await vi.advanceTimersByTimeAsync(0)
    expect(statuses()).toEqual(['open', 'half-open', 'closed'])
    expect(() => breaker.admit(0, PARTY)).not.toThrow('again')
  })

  it('stays open longer each time that it does not answer, up to ten times', async () => {
    const { fail, changes, probes } = breakerOf({ ejection: '10s' })
    fail(late)
    const lengths: number[] = []
    for (let ejection = 1; ejection <= 12; ejection++) {
      const opened = changes.at(-1)
      lengths.push(lengthOf(opened))
      await vi.advanceTimersByTimeAsync(lengthOf(opened))
      probes.at(-1)?.fail()
      await vi.advanceTimersByTimeAsync(0)
    }
    for (const [index, length] of lengths.entries()) {
      const expected = 10_000 * Math.min(index + 1, 10)
      expect(Math.abs(length - expected)).toBeLessThanOrEqual(expected * 0.1)
    }
    // Of one trouble, the beginning is told.
    const starts = changes.map((it) => it.since)
    expect(new Set(starts).size).toBe(1)
  })

  it('lasts longer when it opens again soon, and not after a time of calm', () => {
    const { breaker, fail, changes } = breakerOf({ interval: '10s' })
    const ejections = (): number => {
      fail(late)
      const opened = changes.at(-1)
      breaker.recovered()
      return opened?.status === 'open' ? opened.ejections : 0
    }
    expect([ejections(), ejections(), ejections()]).toEqual([1, 2, 3])
    vi.advanceTimersByTime(20_000)
    expect(ejections()).toBe(2)
    vi.advanceTimersByTime(3_600_000)
    expect(ejections()).toBe(1)
  })

  it('is closed at once by a new connection to the server', () => {
    const { breaker, fail, statuses } = breakerOf()
    fail(late)
    breaker.recovered()
    expect(statuses()).toEqual(['open', 'closed'])
    fail(late, 4)
    expect(breaker.isClosed).toBe(true)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('asks at once after a server that could not be reached, the first time', async () => {
    const { fail, probes, statuses } = breakerOf()
    fail(refused)
    expect(probes).toHaveLength(1)
    probes[0]?.answer()
    await vi.advanceTimersByTimeAsync(0)
    expect(statuses()).toEqual(['open', 'closed'])
    fail(refused)
    expect(probes).toHaveLength(1)
  })

  it('asks nobody any more once it is over', async () => {
    const { breaker, fail, probes } = breakerOf()
    fail(late)
    breaker.close()
    await vi.advanceTimersByTimeAsync(3_600_000)
    expect(probes).toHaveLength(0)
  })
})

it('lets in as many calls as there are connections and places to wait', () => {
  const { breaker } = breakerOf({ maxConnections: 2, maxPending: 3 })
  expect(() => breaker.admit(4, PARTY)).not.toThrow('calls')
  expect(() => breaker.admit(5, PARTY)).toThrow(
    expect.objectContaining({ code: 'ERR_BACKEND_OVERLOADED' }),
  )
})
