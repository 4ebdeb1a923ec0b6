/** Zod's findings in words for people: what was expected and what kind of thing stands there, never the value itself. */
import type { z } from 'zod'

const KINDS: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
}

/** The error map of the configuration. A message that a schema gives itself goes before. */
export const messageOf: z.core.$ZodErrorMap = (issue) => {
  if (issue.input === undefined) return 'is missing'
  switch (issue.code) {
    case 'invalid_type':
      return mismatch([issue.expected], issue.input)
    case 'invalid_union':
      return mismatch(
        issue.errors.flat().flatMap((inner) => (isOfWrongType(inner) ? inner.expected : [])),
        issue.input,
      )
    case 'invalid_value':
      return `expected ${anyOf(issue.values.map((value) => JSON.stringify(value)))}`
    case 'too_small':
      return `expected at least ${amount(issue.minimum, issue.origin)}`
    case 'too_big':
      return `expected at most ${amount(issue.maximum, issue.origin)}`
    case 'invalid_key':
      return issue.issues[0]?.message
    default:
      return undefined
  }
}

/** Whether the value as a whole is of another kind than the schema takes. */
export function isOfWrongType(issue: z.core.$ZodIssue): issue is z.core.$ZodIssueInvalidType {
  return issue.code === 'invalid_type' && issue.path.length === 0
}

function mismatch(expected: readonly string[], input: unknown): string {
  const kinds = [...new Set(expected.map((type) => KINDS[type] ?? type))]
  const quotable = typeof input === 'number' || typeof input === 'boolean'
  const hint = quotable && kinds.includes('a string') ? '; put it in quotes' : ''
  return `expected ${anyOf(kinds)}, found ${kindOf(input)}${hint}`
}

function kindOf(input: unknown): string {
  if (input === null) return 'nothing'
  if (Array.isArray(input)) return 'a list'
  if (typeof input === 'number' && !Number.isInteger(input)) return 'a fraction'
  return KINDS[typeof input] ?? typeof input
}

function amount(count: number | bigint, origin: string): string {
  if (origin === 'string') return count === 1 ? 'one character' : `${count} characters`
  if (origin === 'array') return count === 1 ? 'one entry' : `${count} entries`
  return String(count)
}

function anyOf(words: readonly string[]): string {
  return words.length < 2
    ? words.join()
    : `${words.slice(0, -1).join(', ')} or ${words.at(-1) ?? ''}`
}
