/** When what one server did not answer is sent once more, as the configuration says it. */
import { z } from 'zod'
import { duration } from './duration.js'

export interface Retries {
  /** How often something is sent again, at most. */
  readonly attempts: number
  /** Kinds of failures: `connect-failure`, `reset`, or a status of HTTP. */
  readonly on: readonly string[]
  readonly backoffMs: number
  /** Whether calls of tools that say of themselves that they may be repeated are. */
  readonly annotated: boolean
  /** Retries to requests, at most; from 0 to 1. */
  readonly budget: number
}

const EXPECTED_KIND = 'expected "connect-failure", "reset" or a status from "400" to "599"'

const kind = z
  .union([z.string(), z.int()])
  .transform(String)
  .refine((it) => /^(connect-failure|reset|[45]\d\d)$/.test(it), EXPECTED_KIND)
  .meta({ title: 'kind of failure' })

export const retriesSchema = z
  .strictObject({
    attempts: z
      .int()
      .min(0)
      .max(10)
      .prefault(2)
      .describe('How often a request is sent again at most; 0: never.'),
    on: z
      .array(kind)
      .prefault(['connect-failure', 'reset', '429', '502', '503', '504'])
      .describe(
        'Failures to send again after: `connect-failure`, `reset` (a connection that broke before the answer), statuses of HTTP.',
      ),
    backoff: duration(
      '100ms',
      'Before the first retry, twice as long before each next one, less a random part. A longer `Retry-After` of the server holds.',
    ),
    annotated: z
      .boolean()
      .prefault(false)
      .describe(
        'Whether this server is believed what it says of its tools: calls of those with `readOnlyHint` or `idempotentHint` are sent again like reads.',
      ),
    budget: z
      .int()
      .min(0)
      .max(100)
      .prefault(20)
      .describe('Retries in percent of requests, at most, besides one a second.'),
  })
  .prefault({})
  .transform(({ attempts, on, backoff, annotated, budget }): Retries => ({
    attempts,
    on,
    backoffMs: backoff,
    annotated,
    budget: budget / 100,
  }))
  .describe(
    'What is sent again over HTTP: lists, reads, and calls that provably never reached the server. A call that may have run is not, nor anything past its deadline.',
  )
