/**
 * JSON that keeps the text it came in. The gateway changes a few named members of a message and must leave
 * the rest alone byte for byte (`1.0`, 20-digit numbers, unknown fields), so it cuts and joins text where
 * others parse, rebuild and print. It checks structure, not grammar: text from a peer has been through
 * `JSON.parse` before it gets here.
 */

export type JsonValue =
  null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue }
export type JsonObject = { [key: string]: JsonValue }

/** Nesting that no honest message needs; deeper ones are refused before anything recursive sees them. */
const MAX_DEPTH = 128

/** Text that is not the JSON value it should be. */
export class MalformedJsonError extends Error {
  readonly code = 'ERR_MALFORMED_JSON'
}

/** One JSON value in both of its forms, each made from the other when first asked for. */
export class RawJson<T extends JsonValue = JsonValue> {
  #text: string | undefined
  #value: T | undefined

  private constructor(text: string | undefined, value: T | undefined) {
    this.#text = text
    this.#value = value
  }

  /** Wraps text that is known to be valid JSON; `value` may be given when it has been parsed already. */
  static fromText<T extends JsonValue>(text: string, value?: T): RawJson<T> {
    return new RawJson<T>(text, value)
  }

  static fromValue<T extends JsonValue>(value: T): RawJson<T> {
    return new RawJson<T>(undefined, value)
  }

  get text(): string {
    return (this.#text ??= JSON.stringify(this.#value))
  }

  get value(): T {
    // The type is the caller's claim about the text, made where the text was checked.
    return (this.#value ??= JSON.parse(this.#text ?? 'null') as T)
  }
}

export type RawObject = RawJson<JsonObject>

export const EMPTY_OBJECT: RawObject = RawJson.fromText('{}', {})

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * The members of an object as raw text by (decoded) key, in order. A key that stands twice is refused: two
 * readers of one message could otherwise see two different messages.
 * @throws MalformedJsonError where the text is no object, repeats a key or nests too deeply.
 */
export function rawMembers(text: string): Map<string, string> {
  const members = new Map<string, string>()
  let at = expectOpening(text, '{')
  if (text[at] === '}') return members
  for (;;) {
    if (text[at] !== '"') throw new MalformedJsonError('expected a key')
    const keyEnd = skipString(text, at)
    const key = decodeKey(text.slice(at, keyEnd))
    at = skipSpace(text, keyEnd)
    if (text[at] !== ':') throw new MalformedJsonError('expected ":"')
    const start = skipSpace(text, at + 1)
    at = skipValue(text, start)
    if (members.has(key)) throw repeated(key)
    members.set(key, text.slice(start, at))
    at = skipSpace(text, at)
    if (text[at] === '}') return members
    if (text[at] !== ',') throw new MalformedJsonError('expected "," or "}"')
    at = skipSpace(text, at + 1)
  }
}

/**
 * For JSON that somebody else parsed: what nests deeper cannot be printed.
 * @throws MalformedJsonError
 */
export function requireFlat(value: JsonValue, depth = 1): void {
  if (typeof value !== 'object' || value === null) return
  if (depth > MAX_DEPTH) throw new MalformedJsonError(`nested deeper than ${MAX_DEPTH}`)
  for (const member of Object.values(value)) requireFlat(member, depth + 1)
}

/**
 * For text that is judged by its value and passed on as text: whoever reads it must see what was judged, though some
 * readers take the first of two members of one name and others the last.
 * @throws MalformedJsonError where an object in it, at any depth, repeats a key
 */
export function requireDistinctKeys(text: string): void {
  const open: (Set<string> | undefined)[] = []
  for (let next = 0; ;) {
    STRUCTURE.lastIndex = next
    const found = STRUCTURE.exec(text)
    if (found === null) return
    next = found.index + 1
    if (found[0] === '{' || found[0] === '[') open.push(undefined)
    else if (found[0] !== '"') open.pop()
    else {
      next = skipString(text, found.index)
      if (text[skipSpace(text, next)] !== ':') continue
      const key = decodeKey(text.slice(found.index, next))
      const keys = (open[open.length - 1] ??= new Set())
      if (keys.has(key)) throw repeated(key)
      keys.add(key)
    }
  }
}

/**
 * The elements of an array as raw text.
 * @throws MalformedJsonError where the text is no array or nests too deeply.
 */
export function rawElements(text: string): string[] {
  const elements: string[] = []
  let at = expectOpening(text, '[')
  if (text[at] === ']') return elements
  for (;;) {
    const end = skipValue(text, at)
    elements.push(text.slice(at, end))
    at = skipSpace(text, end)
    if (text[at] === ']') return elements
    if (text[at] !== ',') throw new MalformedJsonError('expected "," or "]"')
    at = skipSpace(text, at + 1)
  }
}

/**
 * The object with some members replaced, added (at the end) or, where the change is `undefined`, removed.
 * Changes are raw JSON text. The object itself comes back when nothing changes.
 */
export function withMembers(
  object: RawObject,
  changes: Readonly<Record<string, string | undefined>>,
): RawObject {
  const members = rawMembers(object.text)
  let changed = false
  for (const [key, raw] of Object.entries(changes)) {
    if (members.get(key) === raw) continue
    changed = true
    if (raw === undefined) members.delete(key)
    else members.set(key, raw)
  }
  return changed ? RawJson.fromText(joinMembers(members)) : object
}

/** `params` (or a result) with members of its `_meta` changed; an `_meta` that ends up empty is left out. */
export function withMeta(
  object: RawObject,
  changes: Readonly<Record<string, string | undefined>>,
): RawObject {
  const meta =
    object.value['_meta'] === undefined ? undefined : rawMembers(object.text).get('_meta')
  const isObject = isJsonObject(object.value['_meta']) && meta !== undefined
  const before: RawObject = isObject ? RawJson.fromText(meta) : EMPTY_OBJECT
  const after = withMembers(before, changes)
  if (after === before) return object
  return withMembers(object, { _meta: after.text === '{}' ? undefined : after.text })
}

/** The text of an object made of raw members. */
export function joinMembers(members: Iterable<readonly [string, string]>): string {
  let text = ''
  for (const [key, raw] of members)
    text += `${text === '' ? '{' : ','}${JSON.stringify(key)}:${raw}`
  return text === '' ? '{}' : `${text}}`
}

function repeated(key: string): MalformedJsonError {
  return new MalformedJsonError(`the key ${JSON.stringify(key.slice(0, 128))} stands twice`)
}

function expectOpening(text: string, bracket: '{' | '['): number {
  const at = skipSpace(text, 0)
  if (text[at] !== bracket) throw new MalformedJsonError(`expected "${bracket}"`)
  return skipSpace(text, at + 1)
}

function decodeKey(quoted: string): string {
  // Parsing costs ten times the slice, and keys with escapes are rare.
  return quoted.includes('\\') ? (JSON.parse(quoted) as string) : quoted.slice(1, -1)
}

function skipSpace(text: string, at: number): number {
  for (;;) {
    const code = text.charCodeAt(at)
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at
    at++
  }
}

/** The index after the string that opens at `at`. `indexOf` runs natively, so long strings cost little. */
function skipString(text: string, at: number): number {
  for (let from = at + 1; ;) {
    const quote = text.indexOf('"', from)
    if (quote === -1) throw new MalformedJsonError('a string does not end')
    let backslashes = 0
    while (text.charCodeAt(quote - 1 - backslashes) === 0x5c) backslashes++
    if (backslashes % 2 === 0) return quote + 1
    from = quote + 1
  }
}

const STRUCTURE = /["{}[\]]/g
const SCALAR = /[^\s,\]}]+/y

/** The index after the value that starts at `at`. */
function skipValue(text: string, at: number): number {
  const first = text[at]
  if (first === '"') return skipString(text, at)
  if (first !== '{' && first !== '[') {
    SCALAR.lastIndex = at
    if (!SCALAR.test(text)) throw new MalformedJsonError('expected a value')
    return SCALAR.lastIndex
  }
  let depth = 0
  for (let next = at; ;) {
    STRUCTURE.lastIndex = next
    const found = STRUCTURE.exec(text)
    if (found === null) throw new MalformedJsonError('a bracket is not closed')
    next = found.index + 1
    if (found[0] === '"') next = skipString(text, found.index)
    else if (found[0] === '{' || found[0] === '[') {
      // The caller's own bracket counts too.
      if (++depth >= MAX_DEPTH) throw new MalformedJsonError(`nested deeper than ${MAX_DEPTH}`)
    } else if (--depth === 0) return next
  }
}
