/**
 * What rules have decided about calls: the same of the same, again and again. Fifty rules took longer than all else that a
 * call costs.
 */
import type { JsonObject } from '../../backends/index.js'
import type { PermitItem } from '../../federation/index.js'
import type { Outcome } from './rules.js'

/** Tools times principals that are kept in mind, about a kilobyte each; beyond that all are forgotten. */
const MAX_MEMOS = 10_000

interface Memo<Decision> {
  /** By rule, of those that say the same each time. */
  readonly outcomes: (Outcome | undefined)[]
  /** Where all of them do. */
  decision: Decision | undefined
  /** What the server says of it, which rules may look at. */
  readonly annotations: JsonObject
}

interface Use<Decision> {
  readonly item: PermitItem
  readonly method: string
  memo: Memo<Decision>
}

/** Maps of maps, whose keys are there already: one made of all parts would be put together and hashed for each call. */
export class DecisionMemory<Decision> {
  readonly #byPrincipal = new Map<string, Map<string, Use<Decision>[]>>()
  #size = 0

  /** What is known of such uses by one principal; what is written into it is remembered. */
  of(principal: string, item: PermitItem, method: string): Memo<Decision> {
    const uses = this.#byPrincipal.get(principal)?.get(item.exposedName)
    const known = uses?.find((it) => it.method === method && isSame(it.item, item))
    if (known === undefined) return this.#begin(principal, item, method)
    // A server may say another thing of its tool today.
    if (known.memo.annotations !== item.annotations) known.memo = memoOf(item)
    return known.memo
  }

  clear(): void {
    this.#byPrincipal.clear()
    this.#size = 0
  }

  #begin(principal: string, item: PermitItem, method: string): Memo<Decision> {
    if (this.#size >= MAX_MEMOS) this.clear()
    this.#size += 1
    const use = { item, method, memo: memoOf<Decision>(item) }
    const byName = this.#byPrincipal.get(principal) ?? new Map<string, Use<Decision>[]>()
    this.#byPrincipal.set(principal, byName)
    byName.set(item.exposedName, [...(byName.get(item.exposedName) ?? []), use])
    return use.memo
  }
}

function memoOf<Decision>({ annotations }: PermitItem): Memo<Decision> {
  return { outcomes: [], decision: undefined, annotations }
}

function isSame(one: PermitItem, other: PermitItem): boolean {
  return one.kind === other.kind && one.target === other.target && one.name === other.name
}
