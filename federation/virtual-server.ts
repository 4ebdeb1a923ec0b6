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
import { idOf } from '../backends/index.js'
import { LRUCache } from 'lru-cache'
import type { ListListener } from './audience.js'
import { Audience } from './audience.js'
import type { CallRouterOptions } from './call-router.js'
import { CallRouter } from './call-router.js'
import type { CalledItem } from './called-items.js'
import { CalledItems } from './called-items.js'
import { extendsTasks, mayOffer } from './capabilities.js'
import type { CatalogKind } from './catalog.js'
import type { CatalogKeeper } from './catalog-keeper.js'
import type { Choice } from './choice.js'
import type { Unavailable } from './errors.js'
import type { ListAnswer } from './lists.js'
import { Lists, START_GRACE_MS } from './lists.js'
import type { Collision } from './naming.js'
import type { ExposedNames, Permit, PermitItem } from './permit.js'
import { Pictures } from './pictures.js'
import type { ServerSelf } from './self.js'
import { Self } from './self.js'
import { Subscriptions } from './subscriptions.js'
import { traitsOf } from './tool-traits.js'
import type { InventoryItem } from './view.js'
import { inventoryOf, permitItem } from './view.js'

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

const NAMES_SOMETHING: ReadonlySet<string> = new Set([
  'tools/call',
  'prompts/get',
  'resources/read',
  'resources/subscribe',
  'resources/unsubscribe',
  'completion/complete',
])

/** Combinations of variants that are kept. */
const MAX_SIBLINGS = 100

export class VirtualServer {
  readonly #options: VirtualServerOptions
  readonly #router: CallRouter
  readonly #called: CalledItems
  readonly #subscriptions: Subscriptions
  readonly #audience: Audience
  readonly #whole: VirtualServer
  readonly #pictures: Pictures
  readonly #lists: Lists
  readonly #self: Self
  /** By what is not as usual. One that is forgotten keeps no pictures, as nobody tells it of changes. */
  readonly #siblings = new LRUCache<string, VirtualServer>({
    max: MAX_SIBLINGS,
    dispose: (sibling) => sibling.#detach(),
  })
  /** Nobody tells it of changes any more: it keeps nothing. */
  #isDetached = false
  /** `whole` is the server of which this is what those callers see who are served by the variants of `choice`. */
  constructor(options: VirtualServerOptions, whole?: VirtualServer, choice?: Choice) {
    this.#options = options
    const { merged } = options
    const names: ExposedNames | undefined = merged && ((...of) => merged.with(choice).nameOf(...of))
    const named = { ...options, ...(names === undefined ? {} : { names }) }
    this.#pictures = new Pictures(named)
    const parts = { ...named, view: (permit?: Permit) => this.#pictures.current(permit) }
    this.#audience = whole === undefined ? new Audience() : whole.#audience
    this.#whole = whole ?? this
    this.#lists = new Lists(parts)
    this.#self = new Self(options)
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
    if (this.#isDetached) this.#self.invalidate()
    return this.#self.describe(era)
  }

  /** What it calls itself. */
  get serverInfo(): RawObject {
    return this.#self.serverInfo
  }

  /** @throws as `Lists.of` */
  list(kind: CatalogKind, era: Era, permit?: Permit): Promise<ListAnswer> {
    return this.#lists.of(kind, era, permit)
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
    return this.#lists.unavailable()
  }

  /** Everything that clients without restrictions are served, and by whom. */
  inventory(): Iterable<InventoryItem> {
    return inventoryOf(this.#pictures.current())
  }

  get collisions(): readonly Collision[] {
    return this.#pictures.current().collisions
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
    const route = this.#pictures.current().tools.exact(name)
    return route && permitItem('tool', route)
  }

  readonly nameOf: ExposedNames = (kind, target, original) =>
    this.#pictures.current().nameOf(kind, target, original)

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

  /** Whether what a request names is of a server with which a caller's session is of no use to other processes. */
  isBoundToProcess(method: string, params: JsonObject): boolean {
    const target = this.itemOf(method, params)?.target
    const keeper = target === undefined ? undefined : this.#options.keepers().get(target)
    return keeper?.backend.isBoundToProcess === true
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
      return this.#whole.with(choice?.()).#pictures.current(permit).lists
    })
  }

  /** Whether anybody is told of changes. */
  get isHeard(): boolean {
    return !this.#audience.isEmpty
  }

  /** The catalog of a backend is new, or, without one, the settings are: the next look sees it. */
  invalidate(target?: TargetName): void {
    this.#pictures.invalidate()
    this.#lists.invalidate()
    this.#self.invalidate()
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
    this.#pictures.detach()
    this.invalidate()
  }
}
