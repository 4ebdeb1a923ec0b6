/**
 * Values by several strings at once. Joined to one key, the strings would be copied and hashed anew for each request,
 * which is most of what a look-up costs; here all but the first are compared as they are.
 */

/** More of one first string are looked through by nobody: the newest goes in the place of the oldest. */
const MAX_OF_FIRST = 8

interface Entry<Value> {
  readonly rest: readonly [string, string, string, string, string, string]
  readonly value: Value
}

export class TupleCache<Value> {
  readonly #max: number
  readonly #byFirst = new Map<string, Entry<Value>[]>()
  #next = 0

  /** Beyond `max` different first strings all is forgotten: what clients make up must not fill memory. */
  constructor(max: number) {
    this.#max = max
  }

  /** The most varied string comes first. */
  get(first: string, a: string, b = '', c = '', d = '', e = '', f = ''): Value | undefined {
    for (const { rest, value } of this.#byFirst.get(first) ?? NONE) {
      if (
        rest[0] === a &&
        rest[1] === b &&
        rest[2] === c &&
        rest[3] === d &&
        rest[4] === e &&
        rest[5] === f
      ) {
        return value as Value
      }
    }
    return undefined
  }

  clear(): void {
    this.#byFirst.clear()
  }

  set(value: Value, first: string, a: string, b = '', c = '', d = '', e = '', f = ''): Value {
    if (this.#byFirst.size >= this.#max) this.#byFirst.clear()
    const entry = { rest: [a, b, c, d, e, f], value } as const
    const entries = this.#byFirst.get(first)
    if (entries === undefined) this.#byFirst.set(first, [entry])
    else if (entries.length < MAX_OF_FIRST) entries.push(entry)
    else entries[this.#next++ % MAX_OF_FIRST] = entry
    return value
  }
}

const NONE: readonly Entry<unknown>[] = []
