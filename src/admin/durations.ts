/** Histograms of durations, one for each time slot: 40 steps of √2, from a quarter of a millisecond to three minutes. */
const STEPS = 40
const SHORTEST_MS = 0.25

export class Durations {
  readonly #counts: Uint32Array

  constructor(slots: number) {
    this.#counts = new Uint32Array(slots * STEPS)
  }

  /** Adds one of this step. */
  add(slot: number, step: number): void {
    const index = slot * STEPS + step
    this.#counts[index] = (this.#counts[index] ?? 0) + 1
  }

  clear(slot: number): void {
    this.#counts.fill(0, slot * STEPS, (slot + 1) * STEPS)
  }

  /** How many of each step, in all of these slots. */
  countsOf(slots: readonly number[]): readonly number[] {
    return Array.from({ length: STEPS }, (_, step) =>
      slots.reduce((sum, slot) => sum + (this.#counts[slot * STEPS + step] ?? 0), 0),
    )
  }
}

/** The step that a duration belongs to. */
export function stepOf(ms: number): number {
  if (ms <= SHORTEST_MS) return 0
  return Math.min(Math.ceil(2 * Math.log2(ms / SHORTEST_MS)), STEPS - 1)
}

/** As long as this share of all took at most, in milliseconds; within a step it is taken to be even. */
export function quantileOf(steps: readonly number[], share: number): number | undefined {
  const wanted = steps.reduce((sum, it) => sum + it, 0) * share
  let seen = 0
  for (const [step, count] of steps.entries()) {
    if (count === 0) continue
    if (seen + count >= wanted) {
      const upper = SHORTEST_MS * 2 ** (step / 2)
      const lower = step === 0 ? 0 : upper / Math.SQRT2
      return Number((lower + ((wanted - seen) / count) * (upper - lower)).toFixed(3))
    }
    seen += count
  }
  return undefined
}
