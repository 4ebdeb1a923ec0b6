/** How many, how well and how fast, over the last while: a ring of time slots whose size never changes. */
import type { Outcome } from '../telemetry/operation-kind.js'
import { Durations } from './durations.js'
import type { Tally } from './tally.js'

const OUTCOMES: readonly Outcome[] = ['ok', 'failed', 'denied', 'limited', 'cancelled']

/** One thing that happened. Durations are steps, as `stepOf` has them. */
export interface Sample {
  /** When it was over: milliseconds since the epoch. */
  readonly at: number
  readonly outcome: Outcome
  readonly total: number
  readonly gateway: number
  /** `undefined` where no server was asked. */
  readonly upstream: number | undefined
}

/** `at` is when the slot begins. */
export interface SlotTally {
  readonly at: number
  readonly tally: Tally
}

export class Figures {
  readonly slotMs: number
  readonly #slots: number
  /** Which slot of all time each place holds. */
  readonly #held: Float64Array
  readonly #counts: Uint32Array
  readonly #total: Durations
  readonly #gateway: Durations
  readonly #upstream: Durations

  constructor(slotMs: number, slots: number) {
    this.slotMs = slotMs
    this.#slots = slots
    this.#held = new Float64Array(slots).fill(-1)
    this.#counts = new Uint32Array(slots * OUTCOMES.length)
    this.#total = new Durations(slots)
    this.#gateway = new Durations(slots)
    this.#upstream = new Durations(slots)
  }

  add({ at, outcome, total, gateway, upstream }: Sample): void {
    const slot = Math.floor(at / this.slotMs)
    const place = slot % this.#slots
    if (this.#held[place] !== slot && !this.#begin(slot, place)) return
    const index = place * OUTCOMES.length + OUTCOMES.indexOf(outcome)
    this.#counts[index] = (this.#counts[index] ?? 0) + 1
    this.#total.add(place, total)
    this.#gateway.add(place, gateway)
    if (upstream !== undefined) this.#upstream.add(place, upstream)
  }

  /** Of the time from `now - lastMs` on, as far as there are slots, and of what is left of the slot in which it begins. */
  tally(now: number, lastMs: number): Tally {
    const newest = Math.floor(now / this.slotMs)
    const slots = Math.min(Math.ceil(lastMs / this.slotMs) + 1, this.#slots)
    return this.#tallyOf(newest - slots + 1, newest, now)
  }

  /** Each slot up to now, the oldest first. */
  history(now: number): readonly SlotTally[] {
    const newest = Math.floor(now / this.slotMs)
    return Array.from({ length: this.#slots }, (_, index) => {
      const slot = newest - this.#slots + 1 + index
      return { at: slot * this.slotMs, tally: this.#tallyOf(slot, slot, now) }
    })
  }

  #tallyOf(from: number, to: number, now: number): Tally {
    const places: number[] = []
    for (const [place, slot] of this.#held.entries()) {
      if (slot >= from && slot <= to) places.push(place)
    }
    const outcomes = Object.fromEntries(
      OUTCOMES.map((outcome, offset) => {
        const of = (place: number) => this.#counts[place * OUTCOMES.length + offset] ?? 0
        return [outcome, places.reduce((sum, place) => sum + of(place), 0)]
      }),
    ) as Record<Outcome, number>
    return {
      spanMs: Math.min((to + 1) * this.slotMs, now) - from * this.slotMs,
      outcomes,
      total: this.#total.countsOf(places),
      gateway: this.#gateway.countsOf(places),
      upstream: this.#upstream.countsOf(places),
    }
  }

  /** Empties a place of what was there before. Returns whether the slot is counted, which one that is too old is not. */
  #begin(slot: number, place: number): boolean {
    const held = this.#held[place] ?? -1
    // What is newer than now is from before the clock was set back.
    if (held > slot && held * this.slotMs <= Date.now()) return false
    this.#held[place] = slot
    this.#counts.fill(0, place * OUTCOMES.length, (place + 1) * OUTCOMES.length)
    for (const durations of [this.#total, this.#gateway, this.#upstream]) durations.clear(place)
    return true
  }
}
