/** The section `telemetry`: who is told of what the gateway does, and how much. */
import { z } from 'zod'
import { headersSchema } from '../../backends/index.js'
import { LOG_LEVELS } from './log-levels.js'

const EXPECTED_SAMPLER = 'expected `always`, `never`, or a share such as 0.01'

const samplerSchema = z
  .union([z.literal('always'), z.literal('never'), z.number().min(0).max(1)], EXPECTED_SAMPLER)
  .prefault('always')
  .describe('Of which requests there are traces: `always`, `never`, or a share such as `0.01`.')

const tracesSchema = z
  .strictObject({
    sampler: samplerSchema,
    parentBased: z
      .boolean()
      .prefault(true)
      .describe('Whether a client that sends a trace context has decided by it for us.'),
    baggage: z
      .boolean()
      .prefault(false)
      .describe('Whether `baggage` of clients goes on to servers.'),
    content: z
      .boolean()
      .prefault(false)
      .describe(
        'Whether spans hold arguments and results of tools, cut to 4096 characters and without what looks like a secret.',
      ),
  })
  .transform(({ sampler, ...others }) => {
    const named = { always: 1, never: 0 }
    return { ...others, ratio: typeof sampler === 'number' ? sampler : named[sampler] }
  })

/** The section `telemetry`. */
export const telemetrySchema = z.strictObject({
  otlp: z
    .strictObject({
      endpoint: z
        .url({ protocol: /^https?$/, error: 'expected a URL such as http://127.0.0.1:4318' })
        .describe('Base URL of the collector; `/v1/traces` and `/v1/metrics` are added.'),
      protocol: z
        .enum(['http/protobuf', 'http/json'])
        .prefault('http/protobuf')
        .describe('How it is spoken to.'),
      headers: headersSchema
        .prefault({})
        .describe('Sent with every request, such as `authorization`; secrets by reference.'),
    })
    .optional()
    .describe('An OpenTelemetry collector that traces and metrics are pushed to.'),
  traces: tracesSchema.prefault({}).describe('Spans of requests; only made where `otlp` is set.'),
  metrics: z
    .strictObject({
      principals: z
        .int()
        .min(0)
        .max(100_000)
        .prefault(1_000)
        .describe('Principals with series of their own; the rest are `_other`. 0: none have.'),
    })
    .prefault({})
    .describe('What Prometheus and the collector are told.'),
  accessLog: z
    .boolean()
    .prefault(true)
    .describe('One line of the log for each request. What was denied is logged in any case.'),
  logLevel: z
    .enum(LOG_LEVELS)
    .optional()
    .describe(
      'Lines of the log from this level on, where no `--log-level` says it. Default: `info`, and `warn` on a terminal.',
    ),
})

export type TelemetrySettings = z.output<typeof telemetrySchema>
export type TraceSettings = TelemetrySettings['traces']
