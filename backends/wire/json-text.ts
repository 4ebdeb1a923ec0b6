/**
 * Where things stand in JSON text. It checks structure, not grammar: text from a peer has been through `JSON.parse` before
 * it gets here.
 */
import {
  BACKSLASH,
  CLOSING_BRACE,
  CLOSING_BRACKET,
  COLON,
  COMMA,
  isSpace,
  OPENING_BRACE,
  OPENING_BRACKET,
  QUOTE,
} from './bytes.js'

/** Nesting that no honest message needs; deeper ones are refused before anything recursive sees them. */
export const MAX_DEPTH = 128
/** Up to so many members, looking at each key before is quicker than a Set. */
const FEW = 8

/** Text that is not the JSON value it should be. */
export class MalformedJsonError extends Error {
  readonly code = 'ERR_MALFORMED_JSON'
}

/** One member of an object: where its key begins, and where its value begins and ends. */
export interface MemberSpan {
  readonly key: string
  readonly at: number
  readonly start: number
  readonly end: number
}

/**
 * The members of an object, in order, under their decoded keys. A key that stands twice is refused: two readers of one
 * message could otherwise see two different messages.
 * @throws MalformedJsonError where the text is no object, repeats a key or nests too deeply.
 */
export function memberSpans(text: string): MemberSpan[] {
  const spans: MemberSpan[] = []
  let at = expectOpening(text, '{')
  if (text.charCodeAt(at) === CLOSING_BRACE) return spans
  let many: Set<string> | undefined
  for (;;) {
    if (text.charCodeAt(at) !== QUOTE) throw new MalformedJsonError('expected a key')
    const keyEnd = skipString(text, at)
    const key = decodeKey(text, at, keyEnd)
    const colon = skipSpace(text, keyEnd)
    if (text.charCodeAt(colon) !== COLON) throw new MalformedJsonError('expected ":"')
    const start = skipSpace(text, colon + 1)
    const end = skipValue(text, start)
    if (spans.length === FEW) many = new Set(spans.map((it) => it.key))
    if (many === undefined ? stands(key, spans) : many.has(key)) throw repeated(key)
    many?.add(key)
    spans.push({ key, at, start, end })
    at = skipSpace(text, end)
    const next = text.charCodeAt(at)
    if (next === CLOSING_BRACE) return spans
    if (next !== COMMA) throw new MalformedJsonError('expected "," or "}"')
    at = skipSpace(text, at + 1)
  }
}

function stands(key: string, spans: readonly MemberSpan[]): boolean {
  for (const span of spans) if (span.key === key) return true
  return false
}

/**
 * For text that is judged by its value and passed on as text: whoever reads it must see what was judged, though some
 * readers take the first of two members of one name and others the last.
 * @throws MalformedJsonError where an object in it, at any depth, repeats a key
 */
export function requireDistinctKeys(text: string): void {
  const open: (Set<string> | undefined)[] = []
  for (let at = 0; ;) {
    at = nextStructure(text, at)
    if (at === -1) return
    const found = text.charCodeAt(at)
    if (found !== QUOTE) {
      if (found === OPENING_BRACE || found === OPENING_BRACKET) open.push(undefined)
      else open.pop()
      at++
    } else {
      const end = skipString(text, at)
      const from = at
      at = end
      if (text.charCodeAt(skipSpace(text, end)) !== COLON) continue
      const key = decodeKey(text, from, end)
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

function repeated(key: string): MalformedJsonError {
  return new MalformedJsonError(`the key ${JSON.stringify(key.slice(0, 128))} stands twice`)
}

function expectOpening(text: string, bracket: '{' | '['): number {
  const at = skipSpace(text, 0)
  if (text[at] !== bracket) throw new MalformedJsonError(`expected "${bracket}"`)
  return skipSpace(text, at + 1)
}

/** The key whose quotes stand at `at` and before `end`. */
function decodeKey(text: string, at: number, end: number): string {
  const key = text.slice(at + 1, end - 1)
  // Parsing costs ten times the slice, and keys with escapes are rare.
  return key.includes('\\') ? (JSON.parse(`"${key}"`) as string) : key
}

function skipSpace(text: string, at: number): number {
  while (isSpace(text.charCodeAt(at))) at++
  return at
}

/** The index after the string that opens at `at`. `indexOf` runs natively, so long strings cost little. */
function skipString(text: string, at: number): number {
  for (let from = at + 1; ;) {
    const quote = text.indexOf('"', from)
    if (quote === -1) throw new MalformedJsonError('a string does not end')
    let backslashes = 0
    while (text.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes++
    if (backslashes % 2 === 0) return quote + 1
    from = quote + 1
  }
}

const STRUCTURE = /["{}[\]]/g
/** In most messages the next quote or bracket is within so many characters, and found sooner than an expression begins. */
const NEAR = 12

/** The index of the next quote or bracket, or -1. `exec` would make an array each time. */
function nextStructure(text: string, from: number): number {
  for (let at = from; at < from + NEAR; at++) if (isStructure(text.charCodeAt(at))) return at
  STRUCTURE.lastIndex = from + NEAR
  return STRUCTURE.test(text) ? STRUCTURE.lastIndex - 1 : -1
}

function isStructure(code: number): boolean {
  return (
    code === QUOTE ||
    code === OPENING_BRACE ||
    code === CLOSING_BRACE ||
    code === OPENING_BRACKET ||
    code === CLOSING_BRACKET
  )
}

/** The index after a number, a truth or a null. */
function skipScalar(text: string, at: number): number {
  let end = at
  while (end < text.length && !endsScalar(text.charCodeAt(end))) end++
  if (end === at) throw new MalformedJsonError('expected a value')
  return end
}

function endsScalar(code: number): boolean {
  return code === COMMA || code === CLOSING_BRACE || code === CLOSING_BRACKET || isSpace(code)
}

/** The index after the value that starts at `at`. */
function skipValue(text: string, at: number): number {
  const first = text.charCodeAt(at)
  if (first === QUOTE) return skipString(text, at)
  if (first !== OPENING_BRACE && first !== OPENING_BRACKET) return skipScalar(text, at)
  let depth = 0
  for (let next = at; ;) {
    next = nextStructure(text, next)
    if (next === -1) throw new MalformedJsonError('a bracket is not closed')
    const found = text.charCodeAt(next)
    if (found === QUOTE) next = skipString(text, next)
    else {
      next++
      if (found === OPENING_BRACE || found === OPENING_BRACKET) {
        // The caller's own bracket counts too.
        if (++depth >= MAX_DEPTH) throw new MalformedJsonError(`nested deeper than ${MAX_DEPTH}`)
      } else if (--depth === 0) return next
    }
  }
}
