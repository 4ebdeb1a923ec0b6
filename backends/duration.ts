/** Durations as the configuration writes them. */
import { z } from 'zod'

const UNIT_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const

const EXPECTED_DURATION = 'expected a duration such as 250ms, 10s, 5m or 1h'

/** What a timer of Node's can wait for; beyond it, it would fire at once. */
const LONGEST_MS = 2 ** 31 - 1

/** `250ms`, `10s`, `5m`, `1h`, `0s` → milliseconds, up to 24 days. */
export const durationSchema = z
  .string(EXPECTED_DURATION)
  .regex(/^\d{1,9}(ms|s|m|h)$/, EXPECTED_DURATION)
  .transform((text) => {
    const unit = /[a-z]+$/.exec(text)?.[0] as keyof typeof UNIT_MS
    return Number.parseInt(text, 10) * UNIT_MS[unit]
  })
  .refine((ms) => ms <= LONGEST_MS, 'expected at most 596h')
  .meta({ title: 'duration' })

/** A key with a duration, and what it means. */
export const duration = (fallback: string, meaning: string) =>
  durationSchema.prefault(fallback).describe(meaning)
