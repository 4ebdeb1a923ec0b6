/**
 * Many backends as one MCP server, in neutral form: lists from memory, and each call to the backend that owns it.
 * It knows neither HTTP, tokens nor eras. `/mcp` is one of these over all targets, `/mcp/<target>` one over one.
 */
import { LRUCache } from 'lru-cache'
import type {
  Backend,
  Call,
  Caller,
  Era,
  ErrorMessage,
  JsonObject,
  JsonValue,
  RawObject,
  ReplyTo,
  ResultMessage,
  ServerRequest,
  Target,
  TargetName,
  TaskIds,
  ToolTraits,
} from '../backends/index.js'
import {
  EMPTY_OBJECT,
  isJsonObject,
  JsonRpcError,
  RawJson,
  rawMembers,
  withMembers,
} from '../backends/index.js'
import {
  extendsTasks,
  mayOffer,
  mergeCapabilities,
  mergeInstructions,
  runsTasks,
} from './capabilities.js'
import type { CatalogKind } from './catalog.js'
import { LISTS } from './catalog.js'
import type { CatalogKeeper } from './catalog-keeper.js'
import type { Unavailable } from './errors.js'
import {
  InvalidParamsError,
  ListUnavailableError,
  UnknownItemError,
  UnknownMethodError,
} from './errors.js'
import type { StateSealer } from './input-required.js'
import { withFitRequests, withInnerState, withSealedState } from './input-required.js'
import type { Collision } from './naming.js'
import type { UriRoute } from './resource-uri.js'
import { mapUris, urisOf } from './result-uris.js'
import { forClient } from './server-requests.js'
import type { FederationSettings } from './settings.js'
import { traitsOf } from './tool-traits.js'
import type { NameRoute, View } from './view.js'
import { buildView, listResult } from './view.js'

/** The lists clients can be told have changed; templates are told of as resources. */
export type ChangedList = 'tools' | 'prompts' | 'resources'

export interface ServerSelf {
  readonly capabilities: JsonObject
  readonly instructions: string | undefined
  readonly serverInfo: JsonObject
}

export interface VirtualServerOptions {
  /** As they are now: a reload may change them. */
  readonly settings: () => FederationSettings
  /** Version told to clients where the settings give none. */
  readonly version: string
  /** The keepers of this server's backends by target, in order. */
  readonly keepers: () => ReadonlyMap<TargetName, CatalogKeeper>
  /** One target alone, under its original names. */
  readonly alone: boolean
  readonly taskIds: TaskIds
  /** For what clients carry between the rounds of a call. */
  readonly states: StateSealer
}

/** A list asked for right after start waits this long for backends that are still being connected, then never. */
const START_GRACE_MS = 3_000
/** Links seen in results, so that reading one finds its backend without asking around. */
const MAX_REMEMBERED_LINKS = 10_000

/** How long clients may keep a result, and whether for everybody (2026-07-28 server/utilities/caching). */
export interface CacheHint {
  readonly ttlMs: number
  readonly scope: 'public' | 'private'
}

export interface ListAnswer {
  readonly result: RawObject
  readonly cache: CacheHint
}

export const NOT_CACHED: CacheHint = { ttlMs: 0, scope: 'private' }

const META_UNAVAILABLE = 'mcp-junction.dev/unavailable'

export class VirtualServer {
  readonly #options: VirtualServerOptions
  readonly #links = new LRUCache<string, Target>({ max: MAX_REMEMBERED_LINKS })
  readonly #listeners = new Set<(changed: readonly ChangedList[]) => void>()
  #view: View | undefined
  #announced: View['lists'] | undefined

  constructor(options: VirtualServerOptions) {
    this.#options = options
  }

  /** What this server says of itself; no backend is asked. */
  describe(era: Era): ServerSelf {
    const { version, alone } = this.#options
    const settings = this.#options.settings()
    const backends = this.#keepers.map(({ backend, catalog }) => ({
      target: backend.target,
      server: catalog?.server,
    }))
    const { name, version: configured, title } = settings.serverInfo
    return {
      capabilities: mergeCapabilities(backends, era),
      instructions: mergeInstructions(settings.instructions, backends, !alone),
      serverInfo: {
        name,
        version: configured ?? version,
        ...(title === undefined ? {} : { title }),
      },
    }
  }

  /**
   * A whole list from memory. Missing or old parts are named in its `_meta`.
   * @throws ListUnavailableError
   */
  async list(kind: CatalogKind, era: Era): Promise<ListAnswer> {
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
    const meta =
      unavailable.length === 0 ? undefined : JSON.stringify({ [META_UNAVAILABLE]: unavailable })
    const view = this.#currentView()
    const array = (era === 'modern' ? view.modernLists : view.lists)[kind]
    return {
      result: listResult(LISTS[kind].member, array, meta),
      cache: unavailable.length > 0 ? NOT_CACHED : this.#cacheHint(kind),
    }
  }

  /** As fresh as the least fresh of its parts, and for everybody only where all of them are. */
  #cacheHint(kind: CatalogKind): CacheHint {
    const parts = this.#keepers.flatMap(({ catalog }) =>
      catalog?.server.capabilities[LISTS[kind].capability] === undefined ? [] : catalog,
    )
    const hints = parts.map(({ freshness }) => freshness[kind])
    if (hints.length === 0 || hints.includes(undefined)) return NOT_CACHED
    const until = Math.min(...hints.map((it) => it?.until ?? 0))
    const isPublic = hints.every((it) => it?.scope === 'public')
    return { ttlMs: Math.max(0, until - Date.now()), scope: isPublic ? 'public' : 'private' }
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

  get collisions(): readonly Collision[] {
    return this.#currentView().collisions
  }

  /**
   * Passes a call to the backend that owns what it names.
   * @throws one of `errors.ts`, or what `Backend.call` throws
   */
  async call(call: Call): Promise<RawObject> {
    switch (call.method) {
      case 'tools/call':
        return this.#callTool(call)
      case 'prompts/get':
        return this.#callNamed(call, this.#currentView().prompts.resolve(stringParam(call, 'name')))
      case 'resources/read':
        return this.#read(call)
      case 'completion/complete':
        return this.#complete(call)
      case 'tasks/get':
      case 'tasks/result':
      case 'tasks/update':
      case 'tasks/cancel':
        return this.#aboutTask(call)
      default:
        throw new UnknownMethodError(`Method not found: ${call.method.slice(0, 128)}`)
    }
  }

  /** Tells the servers that know the caller's roots that they are others now. */
  rootsChanged(caller: Caller): void {
    for (const { backend } of this.#keepers) backend.rootsChanged(caller)
  }

  /** Tells the servers that the caller uses how much it wants to hear. One that fails to listen is no error. */
  async setLogLevel(caller: Caller): Promise<void> {
    await Promise.allSettled(this.#keepers.map(({ backend }) => backend.setLogLevel(caller)))
  }

  /**
   * Follows a resource: the caller is told of changes, under the URI by which it knows the resource.
   * @throws one of `errors.ts`, or what `Backend.subscribe` throws
   */
  async subscribe(caller: Caller, params: RawObject): Promise<RawObject> {
    const { target, uri, backend } = this.#followed(params)
    await backend.subscribe(caller, uri, (changed) => {
      const exposed = this.#currentView().uris.expose(target, changed)
      caller.notify({
        method: 'notifications/resources/updated',
        params: RawJson.fromValue<JsonObject>({ uri: exposed }),
      })
    })
    return EMPTY_OBJECT
  }

  /** @throws as `subscribe` */
  async unsubscribe(caller: Caller, params: RawObject): Promise<RawObject> {
    const { uri, backend } = this.#followed(params)
    await backend.unsubscribe(caller, uri)
    return EMPTY_OBJECT
  }

  #followed(params: RawObject): UriRoute & { readonly backend: Backend } {
    const uri = stringIn(params.value, 'uri', 'uri')
    const route = this.#currentView().uris.resolve(uri) ?? this.#remembered(uri)
    const keeper = route && this.#options.keepers().get(route.target.name)
    if (route === undefined || keeper === undefined) throw new UnknownItemError('resource', uri)
    const { resources } = keeper.catalog?.server.capabilities ?? {}
    if (!isJsonObject(resources) || resources['subscribe'] !== true) {
      throw new UnknownMethodError(`The server "${route.target.name}" has no subscriptions`)
    }
    return { ...route, backend: keeper.backend }
  }

  /** Delivers what a client answers to a request of a server's. */
  async answer(
    caller: Caller,
    replyTo: ReplyTo,
    answer: ResultMessage | ErrorMessage,
  ): Promise<void> {
    await this.#options.keepers().get(replyTo.target)?.backend.answer(caller, replyTo, answer)
  }

  /** Tells a server of a client's progress with a request of that server's. */
  async progress(replyTo: ReplyTo, params: RawObject): Promise<void> {
    await this.#options.keepers().get(replyTo.target)?.backend.progress(replyTo, params)
  }

  /** Calls `listener` with the lists that clients see changed. Returns the way to stop. */
  onListChanged(listener: (changed: readonly ChangedList[]) => void): () => void {
    this.#announced ??= this.#currentView().lists
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** A catalog of one of the backends is new: the next look sees it. */
  invalidate(): void {
    this.#view = undefined
  }

  /** Tells the listeners which lists they see changed since they were last told. */
  announce(): void {
    if (this.#listeners.size === 0) {
      this.#announced = undefined
      return
    }
    const before = this.#announced
    const { lists } = this.#currentView()
    this.#announced = lists
    if (before === undefined) return
    const changed = (['tools', 'prompts', 'resources'] as const).filter(
      (kind) =>
        lists[kind] !== before[kind] ||
        (kind === 'resources' && lists.templates !== before.templates),
    )
    if (changed.length > 0) for (const listener of this.#listeners) listener(changed)
  }

  get #keepers(): readonly CatalogKeeper[] {
    return [...this.#options.keepers().values()]
  }

  #currentView(): View {
    if (this.#view !== undefined) return this.#view
    const { alone } = this.#options
    const members = this.#keepers.flatMap(({ backend: { target }, catalog }) =>
      catalog === undefined
        ? []
        : [{ target: alone ? { ...target, prefix: '' } : target, catalog }],
    )
    return (this.#view = buildView(members, this.#options.settings().naming))
  }

  async #callTool(call: Call): Promise<RawObject> {
    const name = stringParam(call, 'name')
    const route = this.#currentView().tools.resolve(name)
    if (call.params.value['task'] !== undefined) {
      const server = this.#options.keepers().get(route.target.name)?.catalog?.server
      if (server !== undefined && !runsTasks(server)) {
        throw new UnknownMethodError(`The tool "${name}" cannot be called as a task`)
      }
    }
    return this.#callNamed({ ...call, tool: traitsOf(route.raw) }, route)
  }

  /** What a tool's definition says to those who call it. @throws UnknownItemError, AmbiguousItemError */
  traitsOf(name: string): ToolTraits {
    return traitsOf(this.#currentView().tools.resolve(name).raw)
  }

  async #aboutTask(call: Call): Promise<RawObject> {
    const isModern = call.caller.era === 'modern'
    const isLegacy = !isModern && call.method !== 'tasks/update'
    const isOffered = isModern ? this.extendsTasks : isLegacy && this.offers('tasks')
    if (!isOffered) throw new UnknownMethodError(`Method not found: ${call.method}`)
    const taskId = stringParam(call, 'taskId')
    const place = this.#options.taskIds.open(taskId, call.caller.principal)
    const keeper = place && this.#options.keepers().get(place.target)
    if (keeper === undefined) throw new UnknownItemError('task', taskId)
    return this.#send(keeper.backend.target, call)
  }

  async #callNamed(call: Call, { target, original }: NameRoute): Promise<RawObject> {
    const params = withMembers(call.params, { name: JSON.stringify(original) })
    return this.#send(target, { ...call, params })
  }

  async #send(target: Target, call: Call): Promise<RawObject> {
    const keeper = this.#options.keepers().get(target.name)
    if (keeper === undefined) throw new UnknownItemError('tool', target.name)
    const { alone } = this.#options
    const settings = this.#options.settings()
    // Whoever is connected to one target alone knows who asks.
    const fit = (method: string, params: RawObject): RawObject =>
      alone ? params : forClient(method, params, target.name, settings)
    const { ask } = call
    const { states } = this.#options
    const isModern = call.caller.era === 'modern'
    const given = isModern ? withInnerState(call, target.name, states) : call
    const result = await keeper.backend.call({
      ...given,
      ask: ask && ((it: ServerRequest) => ask({ ...it, params: fit(it.method, it.params) })),
    })
    if (result.value['resultType'] === 'input_required') {
      return withSealedState(result, given, target.name, states, fit)
    }
    if (call.method === 'tasks/get') return this.#exposed(target, withFitRequests(result, fit))
    return this.#exposed(target, result)
  }

  /** The result with its URIs as clients of this view know them. */
  #exposed(target: Target, result: RawObject): RawObject {
    const { uris } = this.#currentView()
    for (const uri of urisOf(result.value)) this.#remember(target, uri)
    if (!uris.changesUris) return result
    return mapUris(result, (uri) => uris.expose(target, uri))
  }

  async #read(call: Call): Promise<RawObject> {
    const uri = stringParam(call, 'uri')
    const route = this.#currentView().uris.resolve(uri) ?? this.#remembered(uri)
    if (route !== undefined) {
      const params = withMembers(call.params, { uri: JSON.stringify(route.uri) })
      return this.#send(route.target, { ...call, params })
    }
    return this.#probe(call, uri)
  }

  /** Nobody listed it and nobody linked it; a server may still have it. Reading changes nothing, so all are asked. */
  async #probe(call: Call, uri: string): Promise<RawObject> {
    for (const { backend, catalog } of this.#keepers) {
      if (catalog?.server.capabilities['resources'] === undefined) continue
      if (backend.state.status !== 'ready') continue
      try {
        const result = await this.#send(backend.target, call)
        this.#links.set(uri, backend.target)
        return result
      } catch (error) {
        if (!(error instanceof JsonRpcError)) throw error
      }
    }
    throw new UnknownItemError('resource', uri)
  }

  async #complete(call: Call): Promise<RawObject> {
    const ref = call.params.value['ref']
    if (!isJsonObject(ref)) throw new InvalidParamsError('"ref" must be an object')
    const view = this.#currentView()
    let target: Target
    let change: Record<string, string>
    if (ref['type'] === 'ref/prompt') {
      const route = view.prompts.resolve(stringIn(ref, 'ref.name', 'name'))
      target = route.target
      change = { name: JSON.stringify(route.original) }
    } else if (ref['type'] === 'ref/resource') {
      const uri = stringIn(ref, 'ref.uri', 'uri')
      const route = view.uris.resolve(uri) ?? this.#remembered(uri)
      if (route === undefined) throw new UnknownItemError('resource', uri)
      target = route.target
      change = { uri: JSON.stringify(route.uri) }
    } else {
      throw new InvalidParamsError('"ref.type" must be "ref/prompt" or "ref/resource"')
    }
    const raw = RawJson.fromText<JsonObject>(rawMembers(call.params.text).get('ref') ?? '{}')
    const params = withMembers(call.params, { ref: withMembers(raw, change).text })
    return this.#send(target, { ...call, params })
  }

  #remember(target: Target, uri: string): void {
    if (this.#currentView().uris.expose(target, uri) === uri) this.#links.set(uri, target)
  }

  #remembered(uri: string): UriRoute | undefined {
    const target = this.#links.get(uri)
    return target === undefined ? undefined : { target, uri }
  }
}

function stringParam(call: Call, key: string): string {
  return stringIn(call.params.value, key, key)
}

function stringIn(object: { [key: string]: JsonValue }, path: string, key: string): string {
  const value = object[key]
  if (typeof value !== 'string') throw new InvalidParamsError(`"${path}" must be a string`)
  return value
}
