/** All backends of the gateway and the virtual servers made of them; keeps both current as backends come and go. */
import type { Backend, BackendState, ListKind, TargetName } from '../backends/index.js'
import type { CatalogKind } from './catalog.js'
import { CatalogKeeper } from './catalog-keeper.js'
import type { Collision } from './naming.js'
import type { FederationSettings } from './settings.js'
import type { VirtualServerOptions } from './virtual-server.js'
import { VirtualServer } from './virtual-server.js'

export interface FederationListener {
  /** A backend's lists were read, or it became (un)available. */
  onCatalog(keeper: CatalogKeeper): void
  /** An item that a backend listed and that cannot be served. */
  onOddItem(target: TargetName, what: string): void
  /** Names that several targets claim; none of them serves it. */
  onCollisions(collisions: readonly Collision[]): void
}

/** What no setting says and all virtual servers share. */
type Identity = Pick<VirtualServerOptions, 'version' | 'taskIds' | 'states'>

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
  #settings: FederationSettings
  readonly #identity: Identity
  readonly #listener: FederationListener
  readonly #keepers = new Map<TargetName, CatalogKeeper>()
  readonly #singles = new Map<TargetName, VirtualServer>()
  readonly #changed = new Set<TargetName>()
  #timer: NodeJS.Timeout | undefined
  #reported = ''

  constructor(settings: FederationSettings, identity: Identity, listener: FederationListener) {
    this.#settings = settings
    this.#identity = identity
    this.#listener = listener
    this.merged = new VirtualServer({
      ...identity,
      settings: () => this.#settings,
      alone: false,
      keepers: () => this.#keepers,
    })
  }

  get keepers(): readonly CatalogKeeper[] {
    return [...this.#keepers.values()]
  }

  /** One target alone, under its original names, or `undefined` where there is none or that is switched off. */
  single(name: string): VirtualServer | undefined {
    const target = name as TargetName
    if (!this.#settings.single || !this.#keepers.has(target)) return undefined
    return this.#single(target)
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
  }

  remove(backend: Backend): void {
    const { name } = backend.target
    this.#keepers.get(name)?.close()
    this.#keepers.delete(name)
    this.#schedule(name)
  }

  /** Takes over changed settings, and the order of the targets in them. */
  update(settings: FederationSettings, order: readonly TargetName[]): void {
    this.#settings = settings
    for (const name of order) {
      const keeper = this.#keepers.get(name)
      if (keeper === undefined) continue
      this.#keepers.delete(name)
      this.#keepers.set(name, keeper)
      this.#schedule(name)
    }
  }

  onState(backend: Backend, state: BackendState): void {
    this.#keeperOf(backend)?.onState(state)
  }

  onListChanged(backend: Backend, kind: ListKind): void {
    this.#keeperOf(backend)?.refresh(STALE[kind])
  }

  close(): void {
    for (const keeper of this.#keepers.values()) keeper.close()
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** A backend that was replaced may still speak; it speaks for nobody any more. */
  #keeperOf(backend: Backend): CatalogKeeper | undefined {
    const keeper = this.#keepers.get(backend.target.name)
    return keeper?.backend === backend ? keeper : undefined
  }

  /** Made once for each name, so that who listens goes on hearing when the target is changed. */
  #single(name: TargetName): VirtualServer {
    const known = this.#singles.get(name)
    if (known !== undefined) return known
    const server = new VirtualServer({
      ...this.#identity,
      settings: () => this.#settings,
      alone: true,
      keepers: () => {
        const keeper = this.#keepers.get(name)
        return new Map(keeper === undefined ? [] : [[name, keeper]])
      },
    })
    this.#singles.set(name, server)
    return server
  }

  #schedule(name: TargetName): void {
    this.#changed.add(name)
    // Whoever asks from now on must not get the old picture; only telling about it waits.
    this.merged.invalidate(name)
    this.#singles.get(name)?.invalidate(name)
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
