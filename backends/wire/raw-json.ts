/**
 * JSON that keeps the text it came in. The gateway changes a few named members of a message and must leave
 * the rest alone byte for byte (`1.0`, 20-digit numbers, unknown fields), so it cuts and joins text where
 * others parse, rebuild and print.
 */
import type { Changes } from './json-edit.js'
import { editedText } from './json-edit.js'
import { textOf } from './message-text.js'
import type { MemberSpan } from './json-text.js'
import { MalformedJsonError, MAX_DEPTH, memberSpans } from './json-text.js'
import { Outline } from './outline.js'

export type JsonValue =
  null | boolean | number | string | JsonValue[] | { [key: string]: JsonValue }
export type JsonObject = { [key: string]: JsonValue }

/** One JSON value in both of its forms, each made from the other when first asked for. */
export class RawJson<T extends JsonValue = JsonValue> {
  #text: string | undefined
  #value: T | undefined
  /** What it was made of, until its value is asked for. */
  #origin: JsonObject | undefined
  #changes: Changes | undefined
  /** Its text in UTF-8, where it came so; of what is large, where what is in it stands. */
  #source: readonly Buffer[] | Outline | undefined
  /** Where its members stand, where that is known. */
  #spans: readonly MemberSpan[] | undefined

  private constructor(text: string | undefined, value: T | undefined) {
    this.#text = text
    this.#value = value
  }

  /** Wraps text that is known to be valid JSON; `value` may be given when it has been parsed already. */
  static fromText<T extends JsonValue>(text: string, value?: T): RawJson<T> {
    return new RawJson<T>(text, value)
  }

  /**
   * Wraps JSON that is to be passed on as it came, but for members that are changed; `value` may lack long texts, which nobody
   * but its reader looks at.
   */
  static fromBytes(source: readonly Buffer[] | Outline, value: JsonObject): RawObject {
    const raw = new RawJson(undefined, value)
    raw.#source = source
    return raw
  }

  static fromValue<T extends JsonValue>(value: T): RawJson<T> {
    return new RawJson<T>(undefined, value)
  }

  /** The object with some members replaced, added (at the end) or removed; itself where nothing changes. */
  static edited(object: RawObject, changes: Changes): RawObject {
    const outline = object.#source instanceof Outline ? object.#source.edited(changes) : undefined
    if (outline !== undefined && outline === object.#source) return object
    const edited = new RawJson<JsonObject>(undefined, undefined)
    if (outline === undefined) {
      const edit = editedText(object.text, object.#spansInText(), changes)
      if (edit === undefined) return object
      edited.#text = edit.text
      edited.#spans = edit.spans
    } else edited.#source = outline
    // What stayed need not be looked for, or parsed, again.
    const isMade = object.#value !== undefined
    edited.#origin = isMade ? object.#value : object.#origin
    edited.#changes = isMade ? changes : { ...object.#changes, ...changes }
    return edited
  }

  /** The raw text of one member of an object. @throws MalformedJsonError as `memberSpans` */
  static memberOf(object: RawObject, key: string): string | undefined {
    const known = object.#source instanceof Outline ? object.#source.memberOf(key) : undefined
    return known ?? textAt(object.text, object.#spansInText(), key)
  }

  get text(): string {
    const bytes = this.#bytes
    return (this.#text ??= bytes ? textOf(bytes) : JSON.stringify(this.#value))
  }

  /** The text, in the form in which it came. */
  get wire(): string | readonly Buffer[] {
    return this.#bytes ?? this.text
  }

  #spansInText(): readonly MemberSpan[] {
    return this.#spans ?? memberSpans(this.text)
  }

  get #bytes(): readonly Buffer[] | undefined {
    const source = this.#source
    return source instanceof Outline ? source.bytes : source
  }

  /** The value, where it has been made. */
  get known(): T | undefined {
    return this.#value
  }

  get value(): T {
    if (this.#value !== undefined) return this.#value
    const [origin, changes] = [this.#origin, this.#changes]
    this.#origin = undefined
    this.#changes = undefined
    const kept = origin && changes && changedValue(origin, changes)
    // The type is the caller's claim about the text, made where the text was checked.
    return (this.#value = (kept ?? JSON.parse(this.text)) as T)
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
  return textAt(text, memberSpans(text), key)
}

function textAt(text: string, spans: readonly MemberSpan[], key: string): string | undefined {
  const span = spans.find((it) => it.key === key)
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
  return isWithout(object.known, changes) ? object : RawJson.edited(object, changes)
}

/** Whether all changes would remove what is plainly not there. */
function isWithout(value: JsonObject | undefined, changes: Changes): boolean {
  if (value === undefined) return false
  for (const key in changes) {
    if (changes[key] !== undefined || Object.hasOwn(value, key)) return false
  }
  return true
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
  const before = isObject
    ? RawJson.fromText(RawJson.memberOf(object, '_meta') ?? '{}', given)
    : EMPTY_OBJECT
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
