/**
 * Which servers a caller is served by, where targets have several (backends/variants.ts). Federation does not know why: a
 * choice is made elsewhere, and here it says whose lists are shown and who is called.
 */
import type { BackendId, TargetName } from '../backends/index.js'
import { idOf } from '../backends/index.js'
import type { CatalogKeeper } from './catalog-keeper.js'

/** For each target with variants the name of one. What it does not say is the first. */
export type Choice = ReadonlyMap<TargetName, string>

/** The keepers of all servers, and of each target the one that a choice means. */
export class ChosenKeepers {
  readonly all = new Map<BackendId, CatalogKeeper>()
  #usual: ReadonlyMap<TargetName, CatalogKeeper> | undefined
  #byChoice = new WeakMap<Choice, ReadonlyMap<TargetName, CatalogKeeper>>()

  add(keeper: CatalogKeeper): void {
    this.all.set(idOf(keeper.backend.target), keeper)
    this.#forget()
  }

  /** Returns the keeper that was there. */
  remove(id: BackendId): CatalogKeeper | undefined {
    const keeper = this.all.get(id)
    this.all.delete(id)
    this.#forget()
    return keeper
  }

  /** Puts them in this order. Returns whether they were in it before. */
  order(ids: readonly BackendId[]): boolean {
    const present = ids.filter((id) => this.all.has(id))
    const now = [...this.all.keys()]
    if (present.length === now.length && present.every((id, index) => id === now[index]))
      return true
    for (const id of present) {
      const keeper = this.all.get(id)
      this.all.delete(id)
      if (keeper !== undefined) this.all.set(id, keeper)
    }
    this.#forget()
    return false
  }

  /** One for each target, in order. */
  of(choice?: Choice): ReadonlyMap<TargetName, CatalogKeeper> {
    if (choice === undefined) return (this.#usual ??= this.#chosen(undefined))
    const known = this.#byChoice.get(choice)
    if (known !== undefined) return known
    const chosen = this.#chosen(choice)
    this.#byChoice.set(choice, chosen)
    return chosen
  }

  #chosen(choice: Choice | undefined): ReadonlyMap<TargetName, CatalogKeeper> {
    const chosen = new Map<TargetName, CatalogKeeper>()
    for (const keeper of this.all.values()) {
      const { name, variant } = keeper.backend.target
      if (!chosen.has(name) || choice?.get(name) === variant) chosen.set(name, keeper)
    }
    return chosen
  }

  #forget(): void {
    this.#usual = undefined
    this.#byChoice = new WeakMap()
  }
}
