/**
 * Many backends as one MCP server, in neutral form: lists from memory, and each call to the backend that owns it.
 * It knows neither HTTP, tokens nor eras. `/mcp` is one of these over all targets, `/mcp/<target>` one over one.
 */
import type {
  Backend,
  Call,
  Caller,
  Era,
  ErrorMessage,
  JsonObject,
  RawObject,
  ReplyTo,
  ResultMessage,
  TargetName,
  ToolTraits,
} from '../backends/index.js'
import { idOf, RawJson } from '../backends/index.js'
import { LRUCache } from 'lru-cache'
import type { ListListener } from './audience.js'
import { Audience } from './audience.js'
import type { CallRouterOptions } from './call-router.js'
import { CallRouter } from './call-router.js'
import type { CalledItem } from './called-items.js'
import { CalledItems } from './called-items.js'
import { extendsTasks, mayOffer, mergeCapabilities, mergeInstructions } from './capabilities.js'
import type { CatalogKind } from './catalog.js'
import { LISTS } from './catalog.js'
import type { CatalogKeeper } from './catalog-keeper.js'
import type { Choice } from './choice.js'
import type { Unavailable } from './errors.js'
import { ListUnavailableError } from './errors.js'
import type { Collision } from './naming.js'
import type { ExposedNames, Permit, PermitItem } from './permit.js'
import { Subscriptions } from './subscriptions.js'
import { traitsOf } from './tool-traits.js'
import type { FederationSettings } from './settings.js'
import type { InventoryItem, View } from './view.js'
import { buildView, inventoryOf, permitItem } from './view.js'

export interface ServerSelf {
  readonly capabilities: JsonObject
  readonly instructions: string | undefined
  readonly serverInfo: JsonObject
}

export interface VirtualServerOptions extends Omit<
  CallRouterOptions,
  'view' | 'keepers' | 'names'
> {
  /** The keepers of this server's backends by target, in order; of targets with variants the one that is chosen. */
  readonly keepers: (choice?: Choice) => ReadonlyMap<TargetName, CatalogKeeper>
  /** The server over all targets, of which this is a part: permits know things by its names. */
  readonly merged?: VirtualServer
  /** Version told to clients where the settings give none. */
  readonly version: string
}

/** A list asked for right after start waits this long for backends that are still being connected, then never. */
const START_GRACE_MS = 3_000

const NAMES_SOMETHING: ReadonlySet<string> = new Set([
  'tools/call',
  'prompts/get',
  'resources/read',
  'resources/subscribe',
  'completion/complete',
])

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

const META_UNAVAILABLE = 'mcp-junction.dev/unavailable'

/** What is shorter is as quickly encoded as looked up. */
const LONG_CHARS = 16_384
/** Lists kept as bytes too: of all kinds and both eras, and of some who may not see everything. */
const MAX_ENCODED = 16

/** Pictures kept for callers who may see different things. */
const MAX_RESTRICTED = 200
/** Combinations of variants that are kept. */
const MAX_SIBLINGS = 100

export class VirtualServer {
  readonly #options: VirtualServerOptions
  readonly #router: CallRouter
  readonly #called: CalledItems
  readonly #subscriptions: Subscriptions
  readonly #audience: Audience
  readonly #whole: VirtualServer
  readonly #names: ExposedNames | undefined
  /** By what is not as usual. One that is forgotten keeps no pictures, as nobody tells it of changes. */
  readonly #siblings = new LRUCache<string, VirtualServer>({
    max: MAX_SIBLINGS,
    dispose: (sibling) => sibling.#detach(),
  })
  #isDetached = false
  #view: View | undefined
  #named:
    { readonly settings: FederationSettings['serverInfo']; readonly info: RawObject } | undefined
  /** What is said of it to clients of an era: each asks, and there may be many backends. */
  readonly #selves = new Map<Era, ServerSelf>()
  /** Long lists as bytes, by their text. */
  readonly #encoded = new LRUCache<string, Buffer>({ max: MAX_ENCODED })
  /** What those see who may not see everything, by the keys of their permits. */
  readonly #restricted = new LRUCache<string, View>({ max: MAX_RESTRICTED })

  /** `whole` is the server of which this is what those callers see who are served by the variants of `choice`. */
  constructor(options: VirtualServerOptions, whole?: VirtualServer, choice?: Choice) {
    this.#options = options
    const { merged } = options
    this.#names = merged && ((...of) => merged.with(choice).nameOf(...of))
    this.#audience = whole === undefined ? new Audience() : whole.#audience
    this.#whole = whole ?? this
    const parts = {
      ...options,
      ...(this.#names === undefined ? {} : { names: this.#names }),
      view: (permit?: Permit) => this.#currentView(permit),
    }
    this.#router = new CallRouter(parts)
    this.#called = new CalledItems(parts, this.#router)
    this.#subscriptions = new Subscriptions({ ...parts, router: this.#router })
  }

  /** This server as those see it who are served by these variants. */
  with(choice: Choice | undefined): VirtualServer {
    if (choice === undefined) return this
    const usual = this.#options.keepers()
    const special = new Map<TargetName, string>()
    let key = ''
    for (const [target, variant] of choice) {
      const first = usual.get(target)?.backend.target.variant
      if (first === undefined || first === variant) continue
      special.set(target, variant)
      key += `${target}@${variant} `
    }
    if (key === '') return this
    const known = this.#siblings.get(key)
    if (known !== undefined) return known
    const { keepers } = this.#options
    const sibling = new VirtualServer(
      { ...this.#options, keepers: () => keepers(special) },
      this,
      special,
    )
    this.#siblings.set(key, sibling)
    return sibling
  }

  /** What this server says of itself; no backend is asked. */
  describe(era: Era): ServerSelf {
    const known = this.#selves.get(era)
    if (known !== undefined) return known
    const self = this.#description(era)
    if (!this.#isDetached) this.#selves.set(era, self)
    return self
  }

  #description(era: Era): ServerSelf {
    const { alone } = this.#options
    const settings = this.#options.settings()
    const backends = this.#keepers.map(({ backend, catalog }) => ({
      target: backend.target,
      server: catalog?.server,
    }))
    return {
      capabilities: mergeCapabilities(backends, era),
      instructions: mergeInstructions(settings.instructions, backends, !alone),
      serverInfo: this.serverInfo.value,
    }
  }

  /** What it calls itself: in each answer of 2026-07-28, so made once for each configuration. */
  get serverInfo(): RawObject {
    const { serverInfo } = this.#options.settings()
    if (this.#named?.settings !== serverInfo) {
      const { name, version = this.#options.version, title } = serverInfo
      const info: JsonObject = { name, version, ...(title === undefined ? {} : { title }) }
      this.#named = { settings: serverInfo, info: RawJson.fromValue(info) }
    }
    return this.#named.info
  }

  /**
   * A whole list from memory. Missing or old parts are named in its `_meta`.
   * @throws ListUnavailableError
   */
  async list(kind: CatalogKind, era: Era, permit?: Permit): Promise<ListAnswer> {
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
    const view = this.#currentView(permit)
    const array = (era === 'modern' ? view.modernLists : view.lists)[kind]
    return {
      ...this.#member(kind, array),
      meta: unavailable.length === 0 ? undefined : metaOf(unavailable),
      cache: unavailable.length > 0 ? NOT_CACHED : this.#cacheHint(kind, permit),
    }
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

  /** Whether a backend has this capability, or may turn out to have it. */
  offers(capability: string): boolean {
    const servers = this.#keepers.map(({ catalog }) => catalog?.server)
    return mayOffer(servers, capability)
  }

  /** Whether a backend has the tasks extension of 2026-07-28. */
  get extendsTasks(): boolean {
    return this.#keepers.some(({ catalog }) => catalog && extendsTasks(catalog.server))
  }

  unavailable(): readonly Unavailable[] {
    return this.#keepers.flatMap(({ unavailable }) => unavailable ?? [])
  }

  /** Everything that clients without restrictions are served, and by whom. */
  inventory(): Iterable<InventoryItem> {
    return inventoryOf(this.#currentView())
  }

  get collisions(): readonly Collision[] {
    return this.#currentView().collisions
  }

  /**
   * What a call names may not be known yet, shortly after the start: then a promise for when it is worth trying;
   * `undefined` where there is nothing to wait for.
   */
  arrival({ method, params }: Pick<Call, 'method' | 'params'>): Promise<unknown> | undefined {
    if (!NAMES_SOMETHING.has(method)) return undefined
    if (this.ownerOf(method, params.value) !== undefined) return undefined
    const unsettled = this.#keepers.filter((keeper) => !keeper.settled)
    if (unsettled.length === 0) return undefined
    return Promise.all(unsettled.map((keeper) => keeper.settle(START_GRACE_MS)))
  }

  /**
   * Passes a call to the backend that owns what it names.
   * @throws at once or in the promise, one of `errors.ts`, or what `Backend.call` throws
   */
  call(call: Call, permit?: Permit): Promise<RawObject> {
    return this.#router.call(call, permit)
  }

  /** What a tool's definition says to those who call it so. @throws UnknownItemError, AmbiguousItemError */
  traitsOf(call: Pick<Call, 'method' | 'params'>, permit?: Permit): ToolTraits {
    const { raw, target } = this.#router.named('tool', call, permit)
    return traitsOf(raw, target)
  }

  /** What a permit is asked about a tool, by its exposed name; `undefined` where there is none. */
  toolItem(name: string): PermitItem | undefined {
    const route = this.#currentView().tools.exact(name)
    return route && permitItem('tool', route)
  }

  readonly nameOf: ExposedNames = (kind, target, original) =>
    this.#currentView().nameOf(kind, target, original)

  /**
   * The name in the whole federation of the tool that a call means: scopes and limits must hold by whatever name, and at
   * whatever path, it is called. One that is not there has the name that it would have; so has one that these params
   * may not be given to, where they are given.
   */
  toolCalled(name: string, permit?: Permit, params?: JsonObject): string {
    return this.#called.toolCalled(name, permit, params)
  }

  /** What a request names, whether or not it may be used; `undefined` where it names nothing. */
  itemOf(method: string, params: JsonObject, permit?: Permit): CalledItem | undefined {
    return this.#called.itemOf(method, params, permit)
  }

  /** Whose it is that a call names, where that is plain to see; be it only with another variant. */
  ownerOf(method: string, params: JsonObject, permit?: Permit): TargetName | undefined {
    const owner = this.#called.ownerOf(method, params, permit)
    if (owner !== undefined || this.#siblings.size === 0) return owner
    // What may still come is waited for.
    if (this.#keepers.some((keeper) => !keeper.settled)) return undefined
    for (const sibling of this.#siblings.values()) {
      const other = sibling.ownerOf(method, params, permit)
      if (other !== undefined) return other
    }
    return undefined
  }

  /** The server of this path alone, where it takes what is not MCP. */
  get foreignTaker(): Backend | undefined {
    const [keeper] = this.#options.alone ? this.#keepers : []
    return keeper?.backend.target.traffic === 'passThrough' ? keeper.backend : undefined
  }

  /**
   * Opens the caller's sessions with `stateful` targets, if there are any. What cannot be opened now is left out, and those
   * that are known to be away keep nobody waiting.
   */
  open(caller: Caller): Promise<unknown> | undefined {
    const stateful = this.#keepers.filter(
      ({ backend }) => backend.target.stateful && backend.state.status !== 'unreachable',
    )
    if (stateful.length === 0) return undefined
    return Promise.allSettled(
      stateful.map(async ({ backend }) => {
        const place = await backend.place(caller)
        if (place !== undefined) caller.places?.set(idOf(backend.target), place)
      }),
    )
  }

  /** Tells the servers that know the caller's roots that they are others now. */
  rootsChanged(caller: Caller): void {
    for (const { backend } of this.#keepers) backend.rootsChanged(caller)
  }

  /** Tells the servers that the caller uses how much it wants to hear. One that fails to listen is no error. */
  async setLogLevel(caller: Caller): Promise<void> {
    await Promise.allSettled(this.#keepers.map(({ backend }) => backend.setLogLevel(caller)))
  }

  /** @throws as `Subscriptions.subscribe` */
  subscribe(caller: Caller, params: RawObject, permit?: Permit): Promise<RawObject> {
    return this.#subscriptions.subscribe(caller, params, permit)
  }

  /** @throws as `subscribe` */
  unsubscribe(caller: Caller, params: RawObject, permit?: Permit): Promise<RawObject> {
    return this.#subscriptions.unsubscribe(caller, params, permit)
  }

  /** Whether an answer to a request of a server's can be delivered from this process. */
  reaches(replyTo: ReplyTo): boolean {
    return this.#options.keeperOf(replyTo.target)?.backend.reaches(replyTo) === true
  }

  /** Delivers what a client answers to a request of a server's. */
  async answer(
    caller: Caller,
    replyTo: ReplyTo,
    answer: ResultMessage | ErrorMessage,
  ): Promise<void> {
    await this.#options.keeperOf(replyTo.target)?.backend.answer(caller, replyTo, answer)
  }

  /** Tells a server of a client's progress with a request of that server's. */
  async progress(caller: Caller, replyTo: ReplyTo, params: RawObject): Promise<void> {
    await this.#options.keeperOf(replyTo.target)?.backend.progress(caller, replyTo, params)
  }

  /** Calls `listener` with the lists that it sees changed, by the choice that is its own then. Returns the way to stop. */
  onListChanged(
    listener: ListListener,
    permit?: Permit,
    choice?: () => Choice | undefined,
  ): () => void {
    return this.#audience.add(listener, () => {
      return this.#whole.with(choice?.()).#currentView(permit).lists
    })
  }

  /** Whether anybody is told of changes. */
  get isHeard(): boolean {
    return !this.#audience.isEmpty
  }

  /** The catalog of a backend is new, or, without one, the settings are: the next look sees it. */
  invalidate(target?: TargetName): void {
    this.#view = undefined
    this.#restricted.clear()
    this.#selves.clear()
    this.#encoded.clear()
    if (target !== undefined) this.#router.forgetReads(target)
    for (const sibling of this.#siblings.values()) sibling.invalidate(target)
  }

  /** Tells the listeners which lists they see changed since they were last told. */
  announce(): void {
    this.#audience.announce()
  }

  get #keepers(): readonly CatalogKeeper[] {
    return [...this.#options.keepers().values()]
  }

  #detach(): void {
    this.#isDetached = true
    this.invalidate()
  }

  #currentView(permit?: Permit): View {
    if (this.#isDetached) return this.#build(permit)
    if (permit === undefined) return (this.#view ??= this.#build(undefined))
    const { key } = permit
    const known = this.#restricted.get(key)
    if (known !== undefined) return known
    const view = this.#build(permit)
    this.#restricted.set(key, view)
    return view
  }

  #build(permit: Permit | undefined): View {
    const { alone } = this.#options
    const members = this.#keepers.flatMap(({ backend: { target }, catalog }) =>
      catalog === undefined
        ? []
        : [{ target: alone ? { ...target, prefix: '' } : target, catalog }],
    )
    return buildView(members, this.#options.settings().naming, {
      permit,
      names: this.#names,
      // Those of which nothing is known yet have names as well.
      targets: this.#keepers.map((it) => it.backend.target),
    })
  }
}

function metaOf(unavailable: readonly Unavailable[]): JsonObject {
  return { [META_UNAVAILABLE]: unavailable.map((it) => ({ ...it })) }
}
