/** The section `limits`: how often, and how many at once. */
import { z } from 'zod'

const SECONDS = { s: 1, m: 60, h: 3_600 } as const

export interface Rate {
  readonly count: number
  readonly perMs: number
}

const EXPECTED_RATE = 'expected a rate such as 100/1m, 5/s or 1000/1h'

const rateSchema = z
  .string(EXPECTED_RATE)
  .regex(/^[1-9]\d{0,8}\/[1-9]?\d{0,3}[smh]$/, EXPECTED_RATE)
  .transform((text): Rate => {
    const [count = '', period = ''] = text.split('/')
    const unit = period.slice(-1) as keyof typeof SECONDS
    const times = period.length === 1 ? 1 : Number(period.slice(0, -1))
    return { count: Number(count), perMs: times * SECONDS[unit] * 1_000 }
  })
  .meta({ title: 'rate' })

const PARTIES = ['principal', 'session', 'target', 'tool', 'address'] as const

export type Party = (typeof PARTIES)[number]

const limitSchema = z
  .strictObject({
    per: z
      .array(z.enum(PARTIES))
      .prefault(['principal'])
      .describe('Of what each combination has a limit of its own; none: all calls share one.'),
    methods: z
      .array(z.enum(['tools/call', 'prompts/get', 'resources/read', 'completion/complete']))
      .min(1)
      .prefault(['tools/call'])
      .describe('What is counted.'),
    rate: rateSchema.optional().describe('How many in how long, e.g. `100/1m`.'),
    burst: z
      .int()
      .min(1)
      .optional()
      .describe('How many of them at once after a rest. Default: as many as the rate has.'),
    concurrency: z.int().min(1).optional().describe('How many may run at the same time.'),
  })
  .refine(({ rate, concurrency }) => rate !== undefined || concurrency !== undefined, {
    message: 'expected "rate", "concurrency", or both',
  })
  .refine(({ rate, burst }) => rate !== undefined || burst === undefined, {
    message: 'only a "rate" has a "burst"',
    path: ['burst'],
  })

/** The section `limits`. */
export const limitsSchema = z
  .array(limitSchema)
  .max(100)
  .prefault([])
  .describe('How often, and how many at once, callers may use what is behind the gateway.')

export type LimitSettings = z.output<typeof limitSchema>
