/** What went through over the last hour, in all and by target, from the records of operations. */
import { LRUCache } from 'lru-cache'
import { Facet } from '../telemetry/operation-kind.js'
import type { Operation } from '../telemetry/operations.js'
import { gatewayMsOf } from '../telemetry/operations.js'
import { stepOf } from './durations.js'
import type { Sample, SlotTally } from './figures.js'
import { Figures } from './figures.js'
import type { Summary, Tally } from './tally.js'
import { summaryOf } from './tally.js'

const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000
const SLOT_MS = 20_000
const TARGET_SLOT_MS = 120_000
/** Of more, those without calls the longest are forgotten: 15 KiB each. */
const MAX_TARGETS = 1_000

interface TargetFigures {
  readonly figures: Figures
  lastError: LastError | undefined
}

export interface LastError {
  readonly at: string
  readonly method: string
  readonly name: string
  readonly errorType: string
}

/** What is known of one target's calls. */
export interface TargetTraffic {
  readonly lastHour: Summary
  readonly lastError?: LastError
}

export interface TrafficTally {
  readonly lastMinute: Tally
  readonly lastHour: Tally
}

export interface TargetTally {
  readonly name: string
  readonly lastHour: Tally
  readonly lastError?: LastError | undefined
}

/** Reports that are made of counts, which those of several processes can be added to. */
export const TALLIED = ['status', 'history', 'targets'] as const
export type TalliedReport = (typeof TALLIED)[number]

/** What the counts of one report are; of others they are absent. */
export interface Tallies {
  readonly status?: TrafficTally
  readonly history?: readonly SlotTally[]
  readonly targets?: readonly TargetTally[]
}

export type TalliesFor = (report: TalliedReport, now: number) => Tallies

/** Of several servers of a target each has its own figures. */
const ids = new Facet(({ target: name, variant }) => ({
  id: variant === '' ? name : `${name}@${variant}`,
}))

export class Traffic {
  readonly #all = new Figures(SLOT_MS, HOUR_MS / SLOT_MS)
  readonly #targets = new LRUCache<string, TargetFigures>({ max: MAX_TARGETS })

  add(operation: Operation): void {
    const sample = sampleOf(operation)
    this.#all.add(sample)
    const { outcome, target, method, name, errorType } = operation.kind
    if (target === '') return
    const { id } = ids.of(operation.kind)
    let known = this.#targets.get(id)
    if (known === undefined) {
      const figures = new Figures(TARGET_SLOT_MS, HOUR_MS / TARGET_SLOT_MS)
      known = { figures, lastError: undefined }
      this.#targets.set(id, known)
    }
    known.figures.add(sample)
    if (outcome !== 'failed') return
    known.lastError = { at: new Date(sample.at).toISOString(), method, name, errorType }
  }

  /** What counts of it a report is made of. */
  talliesFor(report: TalliedReport, now: number): Tallies {
    return {
      ...(report === 'status' ? { status: this.tally(now) } : {}),
      ...(report === 'history' ? { history: this.slots(now) } : {}),
      ...(report === 'targets' ? { targets: this.targets(now) } : {}),
    }
  }

  tally(now: number): TrafficTally {
    return {
      lastMinute: this.#all.tally(now, MINUTE_MS),
      lastHour: this.#all.tally(now, HOUR_MS),
    }
  }

  slots(now: number): readonly SlotTally[] {
    return this.#all.history(now)
  }

  targets(now: number): readonly TargetTally[] {
    return [...this.#targets.entries()].map(([name, { figures, lastError }]) => ({
      name,
      lastHour: figures.tally(now, HOUR_MS),
      ...(lastError === undefined ? {} : { lastError }),
    }))
  }

  of(target: string, now = Date.now()): TargetTraffic | undefined {
    const known = this.#targets.peek(target)
    if (known === undefined) return undefined
    const { figures, lastError } = known
    return trafficOf({ name: target, lastHour: figures.tally(now, HOUR_MS), lastError })
  }
}

function sampleOf(operation: Operation): Sample {
  const { at, kind, durationMs, upstreamMs } = operation
  return {
    at: at + durationMs,
    outcome: kind.outcome,
    total: stepOf(durationMs),
    gateway: stepOf(gatewayMsOf(operation)),
    upstream: upstreamMs > 0 ? stepOf(upstreamMs) : undefined,
  }
}

/** Of the last minute and of the last hour, as `/api/v1/status` has it. */
export function trafficSummary({ lastMinute, lastHour }: TrafficTally) {
  return { lastMinute: summaryOf(lastMinute), lastHour: summaryOf(lastHour) }
}

/** `/api/v1/history`. */
export function historyReport(slots: readonly SlotTally[]): object {
  return { slotMs: SLOT_MS, slots: slots.map(({ at, tally }) => ({ at, ...summaryOf(tally) })) }
}

/** What `/api/v1/targets` has of one. */
export function trafficOf({ lastHour, lastError }: TargetTally): TargetTraffic {
  return {
    lastHour: summaryOf(lastHour),
    ...(lastError === undefined ? {} : { lastError }),
  }
}
