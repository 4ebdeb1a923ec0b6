/** How many of the calls of late have failed: counts in slots of time, of which the oldest are forgotten. */

/** More slots forget more smoothly. */
const SLOTS = 10

interface Slot {
  /** The number of the slot since the beginning of time. */
  at: number
  calls: number
  failures: number
}

export class ErrorRate {
  readonly #slotMs: number
  readonly #slots: Slot[] = Array.from({ length: SLOTS }, () => ({ at: -1, calls: 0, failures: 0 }))

  constructor(intervalMs: number) {
    this.#slotMs = Math.max(1, intervalMs / SLOTS)
  }

  add(isFailure: boolean, now = Date.now()): void {
    const at = Math.floor(now / this.#slotMs)
    const slot = this.#slots[at % SLOTS] as Slot
    if (slot.at !== at) Object.assign(slot, { at, calls: 0, failures: 0 })
    slot.calls++
    if (isFailure) slot.failures++
  }

  /** Of the interval that ends now. */
  counts(now = Date.now()): { readonly calls: number; readonly failures: number } {
    const oldest = Math.floor(now / this.#slotMs) - SLOTS
    let [calls, failures] = [0, 0]
    for (const slot of this.#slots) {
      if (slot.at <= oldest) continue
      calls += slot.calls
      failures += slot.failures
    }
    return { calls, failures }
  }

  clear(): void {
    for (const slot of this.#slots) slot.at = -1
  }
}
