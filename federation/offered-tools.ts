/** All tools that rules may be about, whoever asks and through whichever virtual server. */
import type { Target } from '../backends/index.js'
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
  const offers: Offer[] = []
  for (const { offered, backend } of keepers) {
    const { target } = backend
    if (offered === undefined) unknown.push(target)
    else offers.push(chooseItems({ target, items: offered.items.tools }))
  }
  const { nameOf } = nameItems(offers, naming)
  const tools = offers.flatMap(({ target, items }) =>
    items.map(({ key, raw }) =>
      permitItem('tool', { target, exposed: nameOf(target, key), original: key, raw }),
    ),
  )
  return { tools, unknown }
}
