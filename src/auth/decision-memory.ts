/**
 * What rules have decided about calls: the same of the same, again and again. Fifty rules took longer than all else that a
 * call costs.
 */
import { LRUCache } from 'lru-cache'
import type { JsonObject } from '../../backends/index.js'
import type { PermitItem } from '../../federation/index.js'
import type { Outcome } from './rules.js'

/** Tools times principals that are kept in mind; each takes about a kilobyte. */
const MAX_MEMOS = 10_000

interface Memo<Decision> {
  /** By rule, of those that say the same each time. */
  readonly outcomes: (Outcome | undefined)[]
  /** Where all of them do. */
  decision: Decision | undefined
}

export class DecisionMemory<Decision> {
  readonly #memos = new LRUCache<string, Memo<Decision> & { readonly annotations: JsonObject }>({
    max: MAX_MEMOS,
  })

  /** What is known of such uses by one principal; what is written into it is remembered. */
  of(principal: string, item: PermitItem, method: string): Memo<Decision> {
    const { kind, target, exposedName, name, annotations } = item
    // Only the last part may hold what separates the others.
    const key = `${principal} ${kind} ${method} ${target} ${exposedName.length} ${exposedName} ${name}`
    const known = this.#memos.get(key)
    // A server may say another thing of its tool today.
    if (known?.annotations === annotations) return known
    const memo = { outcomes: [], decision: undefined, annotations }
    this.#memos.set(key, memo)
    return memo
  }

  clear(): void {
    this.#memos.clear()
  }
}
