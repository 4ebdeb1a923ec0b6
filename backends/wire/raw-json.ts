/**
 * JSON that keeps the text it came in. The gateway changes a few named members of a message and must leave
 * the rest alone byte for byte (`1.0`, 20-digit numbers, unknown fields), so it cuts and joins text where
 * others parse, rebuild and print.
 */
import type { MemberSpan } from './json-text.js'
import { MalformedJsonError, MAX_DEPTH, memberSpans } from './json-text.js'

export type JsonValue =
  null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue }
export type JsonObject = { [key: string]: JsonValue }

/** Raw JSON text by member; `undefined` removes one. */
type Changes = Readonly<Record<string, string | undefined>>

/** One JSON value in both of its forms, each made from the other when first asked for. */
export class RawJson<T extends JsonValue = JsonValue> {
  #text: string | undefined
  #value: T | undefined
  /** What it was made of, until its value is asked for. */
  #origin: { readonly value: T; readonly changes: Changes } | undefined

  private constructor(
    text: string | undefined,
    value: T | undefined,
    origin?: { readonly value: T; readonly changes: Changes },
  ) {
    this.#text = text
    this.#value = value
    this.#origin = origin
  }

  /** Wraps text that is known to be valid JSON; `value` may be given when it has been parsed already. */
  static fromText<T extends JsonValue>(text: string, value?: T): RawJson<T> {
    return new RawJson<T>(text, value)
  }

  static fromValue<T extends JsonValue>(value: T): RawJson<T> {
    return new RawJson<T>(undefined, value)
  }

  /** The text that such changes have made of an object: what stayed need not be parsed again. */
  static fromChanges(text: string, object: RawObject, changes: Changes): RawObject {
    const value = object.#value
    return new RawJson(text, undefined, value && { value, changes })
  }

  get text(): string {
    return (this.#text ??= JSON.stringify(this.#value))
  }

  /** The value, where it has been made. */
  get known(): T | undefined {
    return this.#value
  }

  get value(): T {
    if (this.#value !== undefined) return this.#value
    const origin = this.#origin
    this.#origin = undefined
    const kept =
      origin !== undefined && isJsonObject(origin.value)
        ? changedValue(origin.value, origin.changes)
        : undefined
    // The type is the caller's claim about the text, made where the text was checked.
    return (this.#value = (kept ?? JSON.parse(this.#text ?? 'null')) as T)
  }
}

export type RawObject = RawJson<JsonObject>

export const EMPTY_OBJECT: RawObject = RawJson.fromText('{}', {})

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * The members of an object as raw text by (decoded) key, in order.
 * @throws MalformedJsonError as `memberSpans`
 */
export function rawMembers(text: string): Map<string, string> {
  const members = new Map<string, string>()
  for (const { key, start, end } of memberSpans(text)) members.set(key, text.slice(start, end))
  return members
}

/** The raw text of one member. @throws MalformedJsonError as `memberSpans` */
export function rawMemberOf(text: string, key: string): string | undefined {
  const span = memberSpans(text).find((it) => it.key === key)
  return span && text.slice(span.start, span.end)
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
 * The object with some members replaced, added (at the end) or, where the change is `undefined`, removed; all else of its
 * text stays as it was. The object itself comes back when nothing changes.
 * @throws MalformedJsonError as `memberSpans`
 */
export function withMembers(object: RawObject, changes: Changes): RawObject {
  if (isWithout(object.known, changes)) return object
  const { text } = object
  const spans = memberSpans(text)
  const added = addedTo(spans, changes)
  const isChanged = ({ key, start, end }: MemberSpan): boolean =>
    Object.hasOwn(changes, key) && changes[key] !== text.slice(start, end)
  if (added === '' && !spans.some(isChanged)) return object
  return RawJson.fromChanges(changedText(text, spans, changes, added), object, changes)
}

/** Whether all changes would remove what is plainly not there. */
function isWithout(value: JsonObject | undefined, changes: Changes): boolean {
  if (value === undefined) return false
  for (const key in changes) {
    if (changes[key] !== undefined || Object.hasOwn(value, key)) return false
  }
  return true
}

/** The members that have to be added, as text. */
function addedTo(spans: readonly MemberSpan[], changes: Changes): string {
  let added = ''
  for (const key in changes) {
    const raw = changes[key]
    if (raw === undefined || spans.some((it) => it.key === key)) continue
    added += `${added === '' ? '' : ','}${JSON.stringify(key)}:${raw}`
  }
  return added
}

/** What stands beside each other and stays is cut out as one piece. */
function changedText(
  text: string,
  spans: readonly MemberSpan[],
  changes: Changes,
  added: string,
): string {
  let changed = '{'
  let isEmpty = true
  /** The piece to be taken over begins and ends here, so far. */
  let from = -1
  let until = -1
  for (const { key, at, start, end } of spans) {
    const stays = !Object.hasOwn(changes, key)
    const raw = stays ? undefined : changes[key]
    if (!stays && raw === undefined) {
      if (from !== -1) changed += text.slice(from, until)
      from = -1
      continue
    }
    if (from === -1) {
      from = at
      if (!isEmpty) changed += ','
      isEmpty = false
    }
    until = end
    if (raw === undefined) continue
    changed += text.slice(from, start) + raw
    from = end
  }
  if (from !== -1) changed += text.slice(from, until)
  return `${changed}${added === '' || isEmpty ? '' : ','}${added}}`
}

/** The value that goes with changed text; `undefined` where it has to be read from that. */
function changedValue(value: JsonObject, changes: Changes): JsonObject | undefined {
  // Assigned to, this name would mean another thing.
  if (Object.hasOwn(value, '__proto__') || Object.hasOwn(changes, '__proto__')) return undefined
  const changed: JsonObject = {}
  for (const key of Object.keys(value)) {
    if (!Object.hasOwn(changes, key)) changed[key] = value[key] as JsonValue
    else if (changes[key] !== undefined) changed[key] = JSON.parse(changes[key]) as JsonValue
  }
  for (const key in changes) {
    const raw = changes[key]
    if (raw !== undefined && !Object.hasOwn(value, key)) changed[key] = JSON.parse(raw) as JsonValue
  }
  return changed
}

/** `params` (or a result) with members of its `_meta` changed; an `_meta` that ends up empty is left out. */
export function withMeta(object: RawObject, changes: Changes): RawObject {
  const given = object.value['_meta']
  const isObject = isJsonObject(given)
  if (isWithout(isObject ? given : {}, changes)) return object
  const text = isObject ? rawMemberOf(object.text, '_meta') : undefined
  const before = text === undefined || !isObject ? EMPTY_OBJECT : RawJson.fromText(text, given)
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
