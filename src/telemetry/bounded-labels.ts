/** Labels whose values clients choose: so many of them, and the rest is one. A label that varies costs memory for ever. */
const MAX_VALUES = 100
const MAX_LENGTH = 64
/** What stands for all others, as in OpenTelemetry's conventions. */
export const OTHER = '_other'

export class BoundedLabels {
  readonly #known = new Map<string, Set<string>>()

  /** The value as a label of this name may have it. */
  of(name: string, value: string | number | boolean, maxValues: number = MAX_VALUES): string {
    const text = String(value)
    const known = this.#known.get(name) ?? new Set()
    if (known.has(text)) return text
    if (known.size >= maxValues || text.length > MAX_LENGTH) return OTHER
    this.#known.set(name, known)
    known.add(text)
    return text
  }
}
