/** When one server is left alone for a while, how much it is sent at once, and how it is watched. */
import { z } from 'zod'
import { duration } from './duration.js'

export interface CircuitSettings {
  /** 0: it is never left alone. */
  readonly consecutiveFailures: number
  readonly intervalMs: number
  readonly ejectionMs: number
  readonly maxConnections: number
  readonly maxPending: number
}

export interface HealthSettings {
  /** 0: it is never asked. */
  readonly intervalMs: number
  readonly timeoutMs: number
}

export const circuitSchema = z
  .strictObject({
    consecutiveFailures: z
      .int()
      .min(0)
      .max(1_000)
      .prefault(5)
      .describe(
        'Failures in a row (unreachable, timed out, HTTP 5xx) after which calls fail at once; what breaks with one connection counts once. 0: never.',
      ),
    interval: duration(
      '10s',
      'Time without a new ejection after which the next one is shorter again by `ejection`.',
    ).refine((ms) => ms > 0, 'expected a duration above zero'),
    ejection: duration(
      '30s',
      'How long calls fail at once, and how much longer with each ejection, up to ten times; then the gateway asks the server itself.',
    ).refine((ms) => ms > 0, 'expected a duration above zero'),
    maxConnections: z
      .int()
      .min(1)
      .max(65_535)
      .prefault(100)
      .describe(
        'Connections for calls over HTTP, each of which carries one at a time. Streams and what the gateway itself says have others.',
      ),
    maxPending: z
      .int()
      .min(0)
      .max(1_000_000)
      .prefault(1_000)
      .describe(
        'Calls that wait for a connection; principals, or sessions of callers nobody knows, take turns. What is beyond fails at once.',
      ),
  })
  .prefault({})
  .transform(({ interval, ejection, ...counts }): CircuitSettings => ({
    ...counts,
    intervalMs: interval,
    ejectionMs: ejection,
  }))
  .describe('When this server is left alone, and how much it is sent at once.')

export const healthSchema = z
  .strictObject({
    interval: duration(
      '15s',
      'Between questions whether the server is there, over HTTP; with every fourth its host name is looked up. 0s: none.',
    ),
    timeout: duration('10s', 'What it may take to answer before it is taken for gone.').refine(
      (ms) => ms > 0,
      'expected a duration above zero',
    ),
  })
  .prefault({})
  .transform(({ interval, timeout }): HealthSettings => ({
    intervalMs: interval,
    timeoutMs: timeout,
  }))
  .describe('How this server is watched while nobody calls it.')
