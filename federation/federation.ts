/** All backends of the gateway and the virtual servers made of them; keeps both current as backends come and go. */
import type { Backend, BackendState, ListKind, TargetName } from '../backends/index.js'
import type { CatalogKind } from './catalog.js'
import { CatalogKeeper } from './catalog-keeper.js'
import type { Collision } from './naming.js'
import type { FederationSettings } from './settings.js'
import { VirtualServer } from './virtual-server.js'

export interface FederationListener {
  /** A backend's lists were read, or it became (un)available. */
  onCatalog(keeper: CatalogKeeper): void
  /** An item that a backend listed and that cannot be served. */
  onOddItem(target: TargetName, what: string): void
  /** Names that several targets claim; none of them serves it. */
  onCollisions(collisions: readonly Collision[]): void
}

/** What a snapshot of lists turns stale when the backend says so: resources and templates change together. */
const STALE: Readonly<Record<ListKind, readonly CatalogKind[]>> = {
  tools: ['tools'],
  prompts: ['prompts'],
  resources: ['resources', 'templates'],
}

/** Backends that connect one after another make one new view, not many. */
const SETTLE_MS = 20

export class Federation {
  /** Everything, as one server. */
  readonly merged: VirtualServer
  readonly #settings: FederationSettings
  readonly #version: string
  readonly #listener: FederationListener
  readonly #keepers = new Map<TargetName, CatalogKeeper>()
  readonly #singles = new Map<TargetName, VirtualServer>()
  readonly #changed = new Set<TargetName>()
  #timer: NodeJS.Timeout | undefined
  #reported = ''

  constructor(settings: FederationSettings, version: string, listener: FederationListener) {
    this.#settings = settings
    this.#version = version
    this.#listener = listener
    this.merged = new VirtualServer({
      settings,
      version,
      alone: false,
      keepers: () => this.#keepers,
    })
  }

  get keepers(): readonly CatalogKeeper[] {
    return [...this.#keepers.values()]
  }

  /** One target alone, under its original names, or `undefined` where there is none or that is switched off. */
  single(name: string): VirtualServer | undefined {
    return this.#singles.get(name as TargetName)
  }

  add(backend: Backend): void {
    const { name } = backend.target
    const keeper = new CatalogKeeper(backend, {
      onCatalog: (changed) => {
        this.#listener.onCatalog(changed)
        this.#schedule(name)
      },
      onOddItem: (_, what) => this.#listener.onOddItem(name, what),
    })
    this.#keepers.set(name, keeper)
    if (this.#settings.single) {
      const keepers = new Map([[name, keeper]])
      const options = { settings: this.#settings, version: this.#version, alone: true }
      this.#singles.set(name, new VirtualServer({ ...options, keepers: () => keepers }))
    }
  }

  remove(backend: Backend): void {
    const { name } = backend.target
    this.#keepers.get(name)?.close()
    this.#keepers.delete(name)
    this.#singles.delete(name)
    this.#schedule(name)
  }

  onState(backend: Backend, state: BackendState): void {
    this.#keepers.get(backend.target.name)?.onState(state)
  }

  onListChanged(backend: Backend, kind: ListKind): void {
    this.#keepers.get(backend.target.name)?.refresh(STALE[kind])
  }

  close(): void {
    for (const keeper of this.#keepers.values()) keeper.close()
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #schedule(name: TargetName): void {
    this.#changed.add(name)
    // Whoever asks from now on must not get the old picture; only telling about it waits.
    this.merged.invalidate()
    this.#singles.get(name)?.invalidate()
    this.#timer ??= setTimeout(() => this.#publish(), SETTLE_MS)
  }

  #publish(): void {
    this.#timer = undefined
    for (const name of this.#changed) this.#singles.get(name)?.announce()
    this.#changed.clear()
    this.merged.announce()
    const { collisions } = this.merged
    const report = JSON.stringify(collisions)
    if (report !== this.#reported && collisions.length > 0) this.#listener.onCollisions(collisions)
    this.#reported = report
  }
}
