/**
 * Exposed names: `<prefix><separator><original>`, made safe for the strictest model APIs. Names are reversed by
 * looking them up, never by splitting: originals may hold the separator. This file alone knows how they are made.
 */
import { createHash } from 'node:crypto'
import type { Target } from '../backends/index.js'
import type { Item } from './catalog.js'
import type { FederationSettings } from './settings.js'

export type Naming = FederationSettings['naming']

/** What common model APIs accept as the name of a tool. */
const SAFE_NAME = /^[A-Za-z0-9_-]{1,64}$/
const MAX_LENGTH = 64
const HASH_LENGTH = 8

/** One target's items of one kind, in the order the backend gave them. */
export interface Offer {
  readonly target: Target
  readonly items: readonly Item[]
}

export interface Named {
  readonly exposed: string
  readonly target: Target
  readonly item: Item
}

/** One exposed name that several targets would serve: none of them does. */
export interface Collision {
  readonly exposed: string
  readonly targets: readonly string[]
}

/** What something of a target's is called, or would be if it were there. */
type NameOf = (target: Target, original: string) => string

export interface NamingOutcome {
  readonly named: readonly Named[]
  readonly collisions: readonly Collision[]
  readonly nameOf: NameOf
}

function namesFor(offers: readonly Offer[], naming: Naming): NameOf {
  const contested = naming.mode === 'conflict' ? contestedKeys(offers) : undefined
  return ({ prefix }, original) => {
    const bare = prefix === '' || naming.mode === 'never' || contested?.has(original) === false
    return bare ? original : safeName(`${prefix}${naming.separator}${original}`)
  }
}

/** Names every item of one kind. The order is that of the targets, then that of each backend. */
export function nameItems(offers: readonly Offer[], naming: Naming): NamingOutcome {
  const nameOf = namesFor(offers, naming)
  const byName = new Map<string, Named[]>()
  for (const { target, items } of offers) {
    for (const item of items) {
      const exposed = nameOf(target, item.key)
      const named = { exposed, target, item }
      const others = byName.get(exposed)
      if (others === undefined) byName.set(exposed, [named])
      else others.push(named)
    }
  }
  const named: Named[] = []
  const collisions: Collision[] = []
  for (const [exposed, claims] of byName) {
    const [only] = claims
    if (claims.length === 1 && only !== undefined) named.push(only)
    else collisions.push({ exposed, targets: claims.map((claim) => claim.target.name) })
  }
  return { named, collisions, nameOf }
}

/**
 * The name itself where model APIs take it, else the nearest one they take, told apart by a hash of the whole:
 * the same name always gives the same result, whatever else there is.
 */
export function safeName(name: string): string {
  if (SAFE_NAME.test(name)) return name
  const hash = createHash('sha256').update(name).digest('hex').slice(0, HASH_LENGTH)
  const readable = name.replace(/[^A-Za-z0-9_-]/g, '_').slice(0, MAX_LENGTH - HASH_LENGTH - 1)
  return `${readable}_${hash}`
}

function contestedKeys(offers: readonly Offer[]): ReadonlySet<string> {
  const seen = new Set<string>()
  const contested = new Set<string>()
  for (const { items } of offers) {
    for (const { key } of items) (seen.has(key) ? contested : seen).add(key)
  }
  return contested
}
