/** What became of the catalogs over time: what came, went or is another than before, target by target. */
import type { Backend } from '../../backends/index.js'
import { idOf } from '../../backends/index.js'
import type { CatalogKeeper, CatalogKind } from '../../federation/index.js'
import { CATALOG_KINDS } from '../../federation/index.js'
import { Newest } from './newest.js'

/** As `/api/v1/catalog` has it. */
export interface CatalogChange {
  readonly at: string
  readonly target: string
  readonly change: 'read' | 'added' | 'changed' | 'removed' | 'gone'
  readonly kind?: CatalogKind
  /** Original names, the first of them. */
  readonly names: readonly string[]
  readonly count: number
}

type Items = NonNullable<CatalogKeeper['catalog']>['items']

const MAX_CHANGES = 500
const MAX_NAMES = 20
const MAX_TEXT = 128

export class CatalogChanges {
  readonly newest = new Newest<CatalogChange>(MAX_CHANGES)
  readonly #known = new WeakMap<Backend, Items>()
  /** Lists of targets that were configured anew go on from where they were. */
  readonly #last = new Map<string, Items>()

  update({ backend, catalog }: CatalogKeeper): void {
    if (catalog === undefined) return
    const { items } = catalog
    if (this.#known.get(backend) === items) return
    this.#known.set(backend, items)
    const name = idOf(backend.target)
    const before = this.#last.get(name)
    this.#last.set(name, items)
    if (before === undefined) {
      const count = CATALOG_KINDS.reduce((sum, kind) => sum + items[kind].length, 0)
      this.#add({ target: name, change: 'read', names: [], count })
    } else for (const kind of CATALOG_KINDS) this.#compare(name, kind, before, items)
  }

  /** A target that is there no more. */
  remove(target: string): void {
    if (this.#last.delete(target)) this.#add({ target, change: 'gone', names: [], count: 0 })
  }

  #compare(target: string, kind: CatalogKind, before: Items, now: Items): void {
    const old = new Map(before[kind].map((it) => [it.key, it.raw.text]))
    const current = new Set(now[kind].map((it) => it.key))
    const came = now[kind].filter((it) => !old.has(it.key))
    const differs = now[kind].filter((it) => (old.get(it.key) ?? it.raw.text) !== it.raw.text)
    const went = before[kind].filter((it) => !current.has(it.key))
    const found = [
      ['added', came],
      ['changed', differs],
      ['removed', went],
    ] as const
    for (const [change, list] of found) {
      if (list.length === 0) continue
      const names = list.slice(0, MAX_NAMES).map((it) => it.key.slice(0, MAX_TEXT))
      this.#add({ target, change, kind, names, count: list.length })
    }
  }

  #add(change: Omit<CatalogChange, 'at'>): void {
    this.newest.add({ at: new Date().toISOString(), ...change })
  }
}
