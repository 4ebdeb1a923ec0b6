/** All tools that rules may be about, whoever asks and through whichever virtual server. */
import type { Target, TargetName } from '../backends/index.js'
import type { Item } from './catalog.js'
import type { CatalogKeeper } from './catalog-keeper.js'
import type { Naming, Offer } from './naming.js'
import { nameItems } from './naming.js'
import type { PermitItem } from './permit.js'
import { chooseItems, permitItem } from './view.js'

export interface OfferedTools {
  /** Those that wait for an approval, and those whose names several targets claim, are among them. */
  readonly tools: readonly PermitItem[]
  /** Of these nobody knows yet which tools they have. */
  readonly unknown: readonly Target[]
}

export function offeredTools(keepers: readonly CatalogKeeper[], naming: Naming): OfferedTools {
  const unknown: Target[] = []
  const byTarget = new Map<TargetName, { target: Target; items: Map<string, Item> }>()
  for (const { offered, backend } of keepers) {
    const { target } = backend
    if (offered === undefined) {
      unknown.push(target)
      continue
    }
    // Of several servers of a target each adds what those before it do not have.
    const known = byTarget.get(target.name) ?? { target, items: new Map<string, Item>() }
    byTarget.set(target.name, known)
    for (const item of chooseItems({ target, items: offered.items.tools }).items) {
      if (!known.items.has(item.key)) known.items.set(item.key, item)
    }
  }
  const offers = [...byTarget.values()].map(({ target, items }): Offer => ({
    target,
    items: [...items.values()],
  }))
  const { nameOf } = nameItems(offers, naming)
  const tools = offers.flatMap(({ target, items }) =>
    items.map(({ key, raw }) =>
      permitItem('tool', { target, exposed: nameOf(target, key), original: key, raw }),
    ),
  )
  return { tools, unknown }
}
