/** The pictures that one virtual server has made of its backends: for everybody, and for those who may see less. */
import { LRUCache } from 'lru-cache'
import type { TargetName } from '../backends/index.js'
import type { CatalogKeeper } from './catalog-keeper.js'
import type { ExposedNames, Permit } from './permit.js'
import type { FederationSettings } from './settings.js'
import type { View } from './view.js'
import { buildView } from './view.js'

/** Of those who may see less, the pictures that are kept. */
const MAX_RESTRICTED = 200

export interface PicturesOptions {
  readonly keepers: () => ReadonlyMap<TargetName, CatalogKeeper>
  readonly settings: () => FederationSettings
  /** One target alone, under its original names. */
  readonly alone: boolean
  /** How permits know tools and prompts, where that is not how clients of this server do. */
  readonly names?: ExposedNames
}

export class Pictures {
  readonly #options: PicturesOptions
  #view: View | undefined
  /** By the keys of permits. */
  readonly #restricted = new LRUCache<string, View>({ max: MAX_RESTRICTED })
  #isDetached = false

  constructor(options: PicturesOptions) {
    this.#options = options
  }

  /** The picture now; with a permit, that of those who have it. */
  current(permit?: Permit): View {
    if (this.#isDetached) return this.#build(permit)
    if (permit === undefined) return (this.#view ??= this.#build(undefined))
    const { key } = permit
    const known = this.#restricted.get(key)
    if (known !== undefined) return known
    const view = this.#build(permit)
    this.#restricted.set(key, view)
    return view
  }

  /** Something has changed. */
  invalidate(): void {
    this.#view = undefined
    this.#restricted.clear()
  }

  /** Nobody will say any more that something has changed: none is kept. */
  detach(): void {
    this.#isDetached = true
    this.invalidate()
  }

  #build(permit: Permit | undefined): View {
    const { alone, names, keepers, settings } = this.#options
    const all = [...keepers().values()]
    const members = all.flatMap(({ backend: { target }, catalog }) =>
      catalog === undefined
        ? []
        : [{ target: alone ? { ...target, prefix: '' } : target, catalog }],
    )
    // Those of which nothing is known yet have names as well.
    const targets = all.map((it) => it.backend.target)
    return buildView(members, settings().naming, { permit, names, targets })
  }
}
