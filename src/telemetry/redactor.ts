/**
 * Takes secrets out of what servers say before it is logged or reported. A child process knows what its configuration
 * gave it, and may print it.
 */

/** Shorter values are words and numbers of every text. */
const MIN_LENGTH = 8
const MARK = '[redacted]'
/** Values known at once; the oldest go first. */
const MAX_VALUES = 20_000

export class Redactor {
  /** In the order in which they were last given. */
  readonly #values = new Set<string>()
  /** By how they begin, longest first: a text is gone through once, however many there are. */
  #byHead: ReadonlyMap<string, readonly string[]> = new Map()

  /** What was a secret before stays one: a child that was started with it still has it. */
  add(secrets: Iterable<string>): void {
    for (const value of Array.from(secrets, formsOf).flat()) {
      this.#values.delete(value)
      this.#values.add(value)
    }
    for (const value of this.#values) {
      if (this.#values.size <= MAX_VALUES) break
      this.#values.delete(value)
    }
    const byHead = new Map<string, string[]>()
    for (const value of [...this.#values].toSorted((a, b) => b.length - a.length)) {
      const head = value.slice(0, MIN_LENGTH)
      const others = byHead.get(head)
      if (others === undefined) byHead.set(head, [value])
      else others.push(value)
    }
    this.#byHead = byHead
  }

  /** The text with a mark in the place of each secret, and of the beginning of one where the text was cut within. */
  redact(text: string): string {
    if (this.#byHead.size === 0) return text
    let clean = ''
    let end = 0
    for (let at = 0; at + MIN_LENGTH <= text.length; at++) {
      const length = this.#lengthAt(text, at)
      if (length === 0) continue
      clean += text.slice(end, at) + MARK
      end = at + length
      at = end - 1
    }
    return end === 0 ? text : clean + text.slice(end)
  }

  /** How much of the text is secret from here on. */
  #lengthAt(text: string, at: number): number {
    for (const value of this.#byHead.get(text.slice(at, at + MIN_LENGTH)) ?? []) {
      if (text.startsWith(value, at)) return value.length
      const left = text.length - at
      if (left < value.length && value.startsWith(text.slice(at))) return left
    }
    return 0
  }
}

/** Each line of it, as lines are what is printed; as it is, and as it stands in JSON and in URLs. */
function formsOf(secret: string): readonly string[] {
  return secret
    .split(/[\r\n]+/)
    .map((line) => line.trim())
    .flatMap((line) => {
      // Half a surrogate pair, which has no form in a URL, becomes a replacement character on its way.
      const whole = Buffer.from(line).toString()
      return [line, JSON.stringify(line).slice(1, -1), encodeURIComponent(whole)]
    })
    .filter((form) => form.length >= MIN_LENGTH)
}
