/** Labels whose values clients choose: so many of them, and the rest is one. A label that varies costs memory for ever. */
const MAX_VALUES = 100
const MAX_LENGTH = 64
/** What stands for all others, as in OpenTelemetry's conventions. */
export const OTHER = '_other'

export class BoundedLabels {
  readonly #known = new Map<string, Set<string>>()

  /** The value as a label of this name may have it. */
  of(name: string, value: string | number | boolean): string {
    const text = String(value)
    const known = this.#known.get(name) ?? new Set()
    this.#known.set(name, known)
    if (known.has(text)) return text
    if (known.size >= MAX_VALUES || text.length > MAX_LENGTH) return OTHER
    known.add(text)
    return text
  }
}
