/** All backends of the gateway and the virtual servers made of them; keeps both current as backends come and go. */
import { isDeepStrictEqual } from 'node:util'
import type {
  Backend,
  BackendId,
  BackendState,
  ListKind,
  Target,
  TargetName,
} from '../backends/index.js'
import { idOf } from '../backends/index.js'
import type { CatalogKind } from './catalog.js'
import type { RefreshReport } from './catalog-keeper.js'
import { CatalogKeeper } from './catalog-keeper.js'
import { ChosenKeepers } from './choice.js'
import type { Approvals } from './definition-guard.js'
import type { Collision } from './naming.js'
import type { FederationSettings } from './settings.js'
import type { OfferedTools } from './offered-tools.js'
import type { PermitItem } from './permit.js'
import { offeredTools } from './offered-tools.js'
import type { VirtualServer } from './virtual-server.js'
import type { Group, Identity } from './virtual-servers.js'
import { VirtualServers } from './virtual-servers.js'

export interface FederationListener {
  /** A backend's lists were read, or it became (un)available. */
  onCatalog(keeper: CatalogKeeper): void
  /** An item that a backend listed and that cannot be served. */
  onOddItem(target: Target, what: string): void
  /** Lists of a backend were read, or could not be. */
  onRefreshed?(report: RefreshReport): void
  /** Names that several targets claim; none of them serves it. */
  onCollisions(collisions: readonly Collision[]): void
}

/** What a snapshot of lists turns stale when the backend says so: resources and templates change together. */
const STALE: Readonly<Record<ListKind, readonly CatalogKind[]>> = {
  tools: ['tools'],
  prompts: ['prompts'],
  resources: ['resources', 'templates'],
}

export class Federation {
  readonly #servers: VirtualServers
  readonly #listener: FederationListener
  readonly #keepers = new ChosenKeepers()
  #settings: FederationSettings
  #approvals: Approvals = {}

  constructor(settings: FederationSettings, identity: Identity, listener: FederationListener) {
    this.#settings = settings
    this.#listener = listener
    this.#servers = new VirtualServers({
      identity,
      settings: () => this.#settings,
      keepers: (choice) => this.#keepers.of(choice),
      keeperOf: (id) => this.#keepers.all.get(id),
      onCollisions: (collisions) => listener.onCollisions(collisions),
    })
  }

  /** Everything, as one server. */
  get merged(): VirtualServer {
    return this.#servers.merged
  }

  get keepers(): readonly CatalogKeeper[] {
    return [...this.#keepers.all.values()]
  }

  /** Whether callers can be given to this server: one whose lists were never read has nothing for them. */
  mayServe(id: BackendId): boolean {
    const keeper = this.#keepers.all.get(id)
    return keeper !== undefined && (keeper.catalog !== undefined || !keeper.settled)
  }

  /** What a permit is asked about a tool, by its exposed name, whichever servers have it. */
  toolItem(name: string): PermitItem | undefined {
    const usual = this.merged.toolItem(name)
    if (usual !== undefined) return usual
    for (const { backend } of this.keepers) {
      const { name: target, variant } = backend.target
      if (variant === undefined) continue
      const item = this.merged.with(new Map([[target, variant]])).toolItem(name)
      if (item !== undefined) return item
    }
    return undefined
  }

  /** All tools that rules may be about. */
  get offeredTools(): OfferedTools {
    return offeredTools(this.keepers, this.#settings.naming)
  }

  /** One target alone, under its original names, or `undefined` where there is none or that is switched off. */
  single(name: string): VirtualServer | undefined {
    const target = name as TargetName
    if (!this.#settings.single || !this.#keepers.of().has(target)) return undefined
    return this.#servers.single(target)
  }

  /** A group of targets, or `undefined` where there is none of this name. */
  group(name: string): VirtualServer | undefined {
    return this.#servers.group(name)
  }

  add(backend: Backend): void {
    const { name } = backend.target
    const keeper = new CatalogKeeper(backend, this.#approvals, {
      onCatalog: (changed) => {
        this.#listener.onCatalog(changed)
        this.#servers.changed(name)
      },
      onOddItem: (_, what) => this.#listener.onOddItem(backend.target, what),
      onRefreshed: (report) => this.#listener.onRefreshed?.(report),
    })
    this.#keepers.add(keeper)
    // It has no list yet, but what clients are promised counts it in.
    this.#servers.changed(name)
  }

  remove(backend: Backend): void {
    const { target } = backend
    this.#keepers.remove(idOf(target))?.close()
    this.#servers.changed(target.name)
  }

  /** Takes over changed settings, the order of the servers in them, and the groups. */
  update(
    settings: FederationSettings,
    order: readonly BackendId[],
    groups: readonly Group[],
  ): void {
    const isSameOrder = this.#keepers.order(order)
    const isSame = isSameOrder && isDeepStrictEqual(settings, this.#settings)
    this.#settings = settings
    this.#servers.setGroups(groups)
    if (!isSame) this.#servers.allChanged()
  }

  /** Takes over the definitions of tools that somebody approved, for targets with a `guard`. */
  approve(approvals: Approvals): void {
    if (isDeepStrictEqual(approvals, this.#approvals)) return
    this.#approvals = approvals
    for (const keeper of this.keepers) keeper.approve(approvals)
  }

  /** What callers may see may have changed; those who are told of lists hear of it. */
  rulesChanged(): void {
    this.#servers.allChanged()
  }

  /** Callers may be served by others than before; those who are told of lists hear of it. */
  choicesChanged(): void {
    this.#servers.announce()
  }

  onState(backend: Backend, state: BackendState): void {
    this.#keeperOf(backend)?.onState(state)
  }

  onListChanged(backend: Backend, kind: ListKind): void {
    this.#keeperOf(backend)?.refresh(STALE[kind], 'list_changed')
  }

  close(): void {
    for (const keeper of this.keepers) keeper.close()
    this.#servers.close()
  }

  /** A backend that was replaced may still speak; it speaks for nobody any more. */
  #keeperOf(backend: Backend): CatalogKeeper | undefined {
    const keeper = this.#keepers.all.get(idOf(backend.target))
    return keeper?.backend === backend ? keeper : undefined
  }
}
