/** The virtual servers of one set of backends: all as one, each alone, and groups; each told of what concerns it. */
import { isDeepStrictEqual } from 'node:util'
import type { BackendId, TargetName } from '../backends/index.js'
import type { CatalogKeeper } from './catalog-keeper.js'
import type { Choice } from './choice.js'
import type { Collision } from './naming.js'
import type { FederationSettings } from './settings.js'
import type { VirtualServerOptions } from './virtual-server.js'
import { VirtualServer } from './virtual-server.js'

/** Targets that are one virtual server beside the whole. */
export interface Group {
  readonly name: string
  readonly targets: readonly TargetName[]
  /** Where it is not that of the federation. */
  readonly failureMode: FederationSettings['failureMode'] | undefined
  /** `conditional` gives prefixes as soon as there is more than one target. */
  readonly prefixMode: 'always' | 'conditional' | 'never' | undefined
}

/** What no setting says and all virtual servers share. */
export type Identity = Pick<VirtualServerOptions, 'version' | 'taskIds' | 'states' | 'counted'>

export interface VirtualServersOptions {
  readonly identity: Identity
  /** As they are now. */
  readonly settings: () => FederationSettings
  /** By target, in order, as they are now; of those with variants the one that is chosen. */
  readonly keepers: (choice?: Choice) => ReadonlyMap<TargetName, CatalogKeeper>
  /** Of any server, chosen or not. */
  readonly keeperOf: (id: BackendId) => CatalogKeeper | undefined
  /** The names that several targets claim are others than before. */
  readonly onCollisions: (collisions: readonly Collision[]) => void
}

/** Backends that connect one after another make one new view, not many. */
const SETTLE_MS = 20

export class VirtualServers {
  /** Everything, as one server. */
  readonly merged: VirtualServer
  readonly #options: VirtualServersOptions
  /** Made once for each name, so that who listens goes on hearing when the target is changed. */
  readonly #singles = new Map<TargetName, VirtualServer>()
  readonly #groups = new Map<string, VirtualServer>()
  #groupsNow: ReadonlyMap<string, Group> = new Map()
  /** Their listeners have to be told, should what they see be another. */
  readonly #stale = new Set<VirtualServer>()
  #timer: NodeJS.Timeout | undefined
  #reported = ''

  constructor(options: VirtualServersOptions) {
    this.#options = options
    const { identity, settings, keepers, keeperOf } = options
    this.merged = new VirtualServer({ ...identity, settings, keepers, keeperOf, alone: false })
  }

  /** One target alone, under its original names. */
  single(name: TargetName): VirtualServer {
    const server =
      this.#singles.get(name) ?? this.#server(this.#options.settings, () => [name], true)
    this.#singles.set(name, server)
    return server
  }

  /** A group of targets, or `undefined` where there is none of this name. */
  group(name: string): VirtualServer | undefined {
    return this.#groupsNow.has(name) ? this.#group(name) : undefined
  }

  setGroups(groups: readonly Group[]): void {
    const before = this.#groupsNow
    this.#groupsNow = new Map(groups.map((group) => [group.name, group]))
    for (const name of new Set([...before.keys(), ...this.#groupsNow.keys()])) {
      const isSame = isDeepStrictEqual(before.get(name), this.#groupsNow.get(name))
      if (!isSame) this.#outdate(this.#groups.get(name))
    }
  }

  /** A target's catalog is another, or it came or went. */
  changed(name: TargetName): void {
    this.#outdate(this.merged, name)
    this.#outdate(this.#singles.get(name), name)
    for (const [group, server] of this.#groups) {
      if (this.#groupsNow.get(group)?.targets.includes(name) === true) this.#outdate(server, name)
    }
  }

  /** The settings, or the order of the targets, are others. */
  allChanged(): void {
    for (const server of this.#all) this.#outdate(server)
  }

  /** Tells listeners what they see changed, where pictures are the same and who sees which is not. */
  announce(): void {
    for (const server of this.#all) server.announce()
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  get #all(): readonly VirtualServer[] {
    return [this.merged, ...this.#singles.values(), ...this.#groups.values()]
  }

  #group(name: string): VirtualServer {
    const server =
      this.#groups.get(name) ??
      this.#server(
        () => this.#settingsOf(name),
        () => this.#groupsNow.get(name)?.targets ?? [],
        false,
      )
    this.#groups.set(name, server)
    return server
  }

  #settingsOf(name: string): FederationSettings {
    const settings = this.#options.settings()
    const { failureMode, prefixMode, targets = [] } = this.#groupsNow.get(name) ?? {}
    const conditional = targets.length > 1 ? 'always' : 'never'
    const mode = prefixMode === 'conditional' ? conditional : prefixMode
    return {
      ...settings,
      failureMode: failureMode ?? settings.failureMode,
      naming: { ...settings.naming, mode: mode ?? settings.naming.mode },
    }
  }

  #keepersOf(
    names: readonly TargetName[],
    choice: Choice | undefined,
  ): ReadonlyMap<TargetName, CatalogKeeper> {
    const keepers = this.#options.keepers(choice)
    const own = new Map<TargetName, CatalogKeeper>()
    for (const name of names) {
      const keeper = keepers.get(name)
      if (keeper !== undefined) own.set(name, keeper)
    }
    return own
  }

  /** A part of the whole, where things may have other names. */
  #server(
    settings: VirtualServerOptions['settings'],
    targets: () => readonly TargetName[],
    alone: boolean,
  ): VirtualServer {
    const { identity, keeperOf } = this.#options
    return new VirtualServer({
      ...identity,
      settings,
      keepers: (choice) => this.#keepersOf(targets(), choice),
      keeperOf: (id) => {
        const keeper = keeperOf(id)
        return keeper && targets().includes(keeper.backend.target.name) ? keeper : undefined
      },
      alone,
      merged: this.merged,
    })
  }

  /** Whoever asks from now on must not get the old picture; only telling about it waits. */
  #outdate(server: VirtualServer | undefined, target?: TargetName): void {
    if (server === undefined) return
    server.invalidate(target)
    this.#stale.add(server)
    this.#timer ??= setTimeout(() => this.#publish(), SETTLE_MS)
  }

  #publish(): void {
    this.#timer = undefined
    for (const server of this.#stale) server.announce()
    this.#stale.clear()
    this.#forget()
    const { collisions } = this.merged
    const report = JSON.stringify(collisions)
    if (report !== this.#reported && collisions.length > 0) this.#options.onCollisions(collisions)
    this.#reported = report
  }

  /** Names come and go for ever; what is gone and heard by nobody is let go of. */
  #forget(): void {
    const keepers = this.#options.keepers()
    for (const [name, server] of this.#singles) {
      if (!keepers.has(name) && !server.isHeard) this.#singles.delete(name)
    }
    for (const [name, server] of this.#groups) {
      if (!this.#groupsNow.has(name) && !server.isHeard) this.#groups.delete(name)
    }
  }
}
