/** What happened in a while, as counts that can be added up: those of several processes make one, and a summary is made of it. */
import type { Outcome } from '../telemetry/operation-kind.js'
import { quantileOf } from './durations.js'

/** Latencies are in milliseconds, and `undefined` where nothing happened. */
export interface Summary {
  /** How long it was. */
  readonly spanMs: number
  readonly count: number
  readonly outcomes: Readonly<Record<Outcome, number>>
  readonly p50: number | undefined
  readonly p95: number | undefined
  readonly gateway: { readonly p50: number | undefined; readonly p95: number | undefined }
  readonly upstream: { readonly p50: number | undefined; readonly p95: number | undefined }
}

/** Durations are histograms, as `Durations` counts them. */
export interface Tally {
  readonly spanMs: number
  readonly outcomes: Readonly<Record<Outcome, number>>
  readonly total: readonly number[]
  readonly gateway: readonly number[]
  readonly upstream: readonly number[]
}

/** Of the same while. */
export function sumOf([first, ...others]: readonly [Tally, ...Tally[]]): Tally {
  return others.reduce(
    (sum, it) => ({
      spanMs: Math.max(sum.spanMs, it.spanMs),
      outcomes: {
        ok: sum.outcomes.ok + it.outcomes.ok,
        failed: sum.outcomes.failed + it.outcomes.failed,
        denied: sum.outcomes.denied + it.outcomes.denied,
        limited: sum.outcomes.limited + it.outcomes.limited,
        cancelled: sum.outcomes.cancelled + it.outcomes.cancelled,
      },
      total: added(sum.total, it.total),
      gateway: added(sum.gateway, it.gateway),
      upstream: added(sum.upstream, it.upstream),
    }),
    first,
  )
}

export function summaryOf({ spanMs, outcomes, total, gateway, upstream }: Tally): Summary {
  return {
    spanMs,
    count: Object.values(outcomes).reduce((sum, it) => sum + it, 0),
    outcomes,
    ...quantilesOf(total),
    gateway: quantilesOf(gateway),
    upstream: quantilesOf(upstream),
  }
}

function quantilesOf(counts: readonly number[]) {
  return { p50: quantileOf(counts, 0.5), p95: quantileOf(counts, 0.95) }
}

function added(some: readonly number[], others: readonly number[]): readonly number[] {
  return some.map((it, step) => it + (others[step] ?? 0))
}
