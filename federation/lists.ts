/** The lists of one virtual server, as answers that are still to be completed by the edge of whoever asks. */
import { LRUCache } from 'lru-cache'
import type { Era, JsonObject, TargetName } from '../backends/index.js'
import type { CatalogKind } from './catalog.js'
import { LISTS } from './catalog.js'
import type { CatalogKeeper } from './catalog-keeper.js'
import type { Unavailable } from './errors.js'
import { ListUnavailableError } from './errors.js'
import type { Permit } from './permit.js'
import type { FederationSettings } from './settings.js'
import type { View } from './view.js'

/** How long clients may keep a result, and whether for everybody (2026-07-28 server/utilities/caching). */
export interface CacheHint {
  readonly ttlMs: number
  readonly scope: 'public' | 'private'
}

/** A list as members of a result that is still to be made: long text that nobody has to read again. */
export interface ListAnswer {
  /** Such as `"tools":[…]`. */
  readonly member: string
  /** The same as it goes over the wire, where it is long: it is encoded once, and not for each client. */
  readonly bytes: Buffer | undefined
  readonly meta: JsonObject | undefined
  readonly cache: CacheHint
}

export const NOT_CACHED: CacheHint = { ttlMs: 0, scope: 'private' }

/** What is asked for right after the start waits this long for backends that are still being connected, then never. */
export const START_GRACE_MS = 3_000

const META_UNAVAILABLE = 'mcp-junction.dev/unavailable'
/** What is shorter is as quickly encoded as looked up. */
const LONG_CHARS = 16_384
/** Lists kept as bytes too: of all kinds and both eras, and of some who may not see everything. */
const MAX_ENCODED = 16

export interface ListsOptions {
  readonly keepers: () => ReadonlyMap<TargetName, CatalogKeeper>
  readonly settings: () => FederationSettings
  readonly view: (permit?: Permit) => View
}

export class Lists {
  readonly #options: ListsOptions
  /** Long ones as bytes, by their text. */
  readonly #encoded = new LRUCache<string, Buffer>({ max: MAX_ENCODED })

  constructor(options: ListsOptions) {
    this.#options = options
  }

  /**
   * A whole list from memory. Missing or old parts are named in its `_meta`.
   * @throws ListUnavailableError
   */
  async of(kind: CatalogKind, era: Era, permit?: Permit): Promise<ListAnswer> {
    const keepers = this.#keepers
    const unsettled = keepers.filter((keeper) => !keeper.settled)
    if (unsettled.length > 0) {
      await Promise.all(unsettled.map((keeper) => keeper.settle(START_GRACE_MS)))
    }
    const unavailable = this.unavailable()
    const { failureMode } = this.#options.settings()
    const nothing = keepers.length > 0 && keepers.every(({ catalog }) => catalog === undefined)
    if (nothing || (failureMode === 'closed' && unavailable.length > 0)) {
      throw new ListUnavailableError(unavailable)
    }
    const view = this.#options.view(permit)
    const array = (era === 'modern' ? view.modernLists : view.lists)[kind]
    return {
      ...this.#member(kind, array),
      meta: unavailable.length === 0 ? undefined : metaOf(unavailable),
      cache: unavailable.length > 0 ? NOT_CACHED : this.#cacheHint(kind, permit),
    }
  }

  unavailable(): readonly Unavailable[] {
    return this.#keepers.flatMap(({ unavailable }) => unavailable ?? [])
  }

  /** Something has changed. */
  invalidate(): void {
    this.#encoded.clear()
  }

  get #keepers(): readonly CatalogKeeper[] {
    return [...this.#options.keepers().values()]
  }

  #member(kind: CatalogKind, array: string): Pick<ListAnswer, 'member' | 'bytes'> {
    const member = `"${LISTS[kind].member}":${array}`
    if (array.length < LONG_CHARS) return { member, bytes: undefined }
    const known = this.#encoded.get(array)
    if (known !== undefined) return { member, bytes: known }
    const bytes = Buffer.from(member)
    this.#encoded.set(array, bytes)
    return { member, bytes }
  }

  /** As fresh as the least fresh of its parts, and for everybody only where all of them are, and all see the same. */
  #cacheHint(kind: CatalogKind, permit: Permit | undefined): CacheHint {
    const parts = this.#keepers.flatMap(({ catalog }) =>
      catalog?.server.capabilities[LISTS[kind].capability] === undefined ? [] : catalog,
    )
    const hints = parts.map(({ freshness }) => freshness[kind])
    if (hints.length === 0 || hints.includes(undefined)) return NOT_CACHED
    const until = Math.min(...hints.map((it) => it?.until ?? 0))
    // Others may be served by another variant.
    const isAlike = this.#keepers.every(({ backend }) => backend.target.variant === undefined)
    const isPublic = permit === undefined && isAlike && hints.every((it) => it?.scope === 'public')
    return {
      ttlMs: Math.max(0, Math.floor(until - performance.now())),
      scope: isPublic ? 'public' : 'private',
    }
  }
}

function metaOf(unavailable: readonly Unavailable[]): JsonObject {
  return { [META_UNAVAILABLE]: unavailable.map((it) => ({ ...it })) }
}
