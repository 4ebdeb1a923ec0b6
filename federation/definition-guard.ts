/**
 * A tool is reviewed once and may change afterwards, to say something else to the model that reads it. Here
 * definitions are held against those that somebody approved.
 */
import { createHash } from 'node:crypto'
import type { RawObject, Target } from '../backends/index.js'
import { idOf, isJsonObject } from '../backends/index.js'
import type { Item } from './catalog.js'

/**
 * By target, then by the original name of a tool: the fingerprint of the definition that was approved. Variants of a
 * target, as `target@variant`, have their own; one that has none goes by what was approved of the target.
 */
export type Approvals = Readonly<Record<string, Readonly<Record<string, string>>>>

/** A tool whose definition nobody approved. */
export interface Unapproved {
  readonly tool: string
  /** `changed` where another definition of it was. */
  readonly state: 'changed' | 'new'
}

export interface Guarded {
  /** Those that may be served. */
  readonly tools: readonly Item[]
  readonly unapproved: readonly Unapproved[]
}

/** What models and clients go by; the rest may change from one day to the next. */
const DEFINING = [
  'name',
  'title',
  'description',
  'inputSchema',
  'outputSchema',
  'annotations',
] as const

/** `sha256-…`, the same for the same definition in any order of members. */
export function fingerprintOf({ value }: RawObject): string {
  const text = JSON.stringify(
    DEFINING.map((member) => value[member] ?? null),
    (_, inner: unknown) => (isJsonObject(inner) ? inOrder(inner) : inner),
  )
  return `sha256-${createHash('sha256').update(text).digest('base64')}`
}

/** Sifts the tools of a target by its `guard`. */
export function guard(target: Target, tools: readonly Item[], approvals: Approvals): Guarded {
  const { name, guard: mode } = target
  if (mode === 'off') return { tools, unapproved: [] }
  // Names of tools are a server's to choose, and may be those of an object's own methods.
  const approved = new Map(Object.entries(approvals[idOf(target)] ?? approvals[name] ?? {}))
  const unapproved: Unapproved[] = []
  const good = tools.filter(({ key, raw }) => {
    const fingerprint = approved.get(key)
    if (fingerprint === fingerprintOf(raw)) return true
    unapproved.push({ tool: key, state: fingerprint === undefined ? 'new' : 'changed' })
    return false
  })
  return { tools: mode === 'block' ? good : tools, unapproved }
}

function inOrder(value: object): object {
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}
