/** What went through over the last hour, in all and by target, from the records of operations. */
import { LRUCache } from 'lru-cache'
import type { Operation } from '../telemetry/operations.js'
import type { Summary } from './figures.js'
import { Figures } from './figures.js'

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

export class Traffic {
  readonly #all = new Figures(SLOT_MS, HOUR_MS / SLOT_MS)
  readonly #targets = new LRUCache<string, TargetFigures>({ max: MAX_TARGETS })

  add(operation: Operation): void {
    const { outcome, durationMs, upstreamMs } = operation
    const sample = { at: operation.at + durationMs, outcome, durationMs, upstreamMs }
    this.#all.add(sample)
    const { target, variant } = operation
    if (target === '') return
    // Of several servers of a target each has its own.
    const id = variant === '' ? target : `${target}@${variant}`
    let known = this.#targets.get(id)
    if (known === undefined) {
      const figures = new Figures(TARGET_SLOT_MS, HOUR_MS / TARGET_SLOT_MS)
      known = { figures, lastError: undefined }
      this.#targets.set(id, known)
    }
    known.figures.add(sample)
    if (outcome !== 'failed') return
    const { method, name, errorType } = operation
    known.lastError = { at: new Date(sample.at).toISOString(), method, name, errorType }
  }

  /** Of the last minute and of the last hour. */
  summary(now = Date.now()): { readonly lastMinute: Summary; readonly lastHour: Summary } {
    return {
      lastMinute: this.#all.summary(now, MINUTE_MS),
      lastHour: this.#all.summary(now, HOUR_MS),
    }
  }

  /** `/api/v1/history`. */
  history(now = Date.now()): object {
    return { slotMs: SLOT_MS, slots: this.#all.history(now) }
  }

  of(target: string, now = Date.now()): TargetTraffic | undefined {
    const known = this.#targets.peek(target)
    if (known === undefined) return undefined
    const { figures, lastError } = known
    const lastHour = figures.summary(now, HOUR_MS)
    return { lastHour, ...(lastError === undefined ? {} : { lastError }) }
  }
}
