/**
 * The way of a call through a virtual server: from the name, URI or task that it is about to the backend that owns it,
 * under the backend's own names, and back.
 */
import { LRUCache } from 'lru-cache'
import type {
  BackendId,
  Call,
  JsonObject,
  RawObject,
  ServerDescription,
  ServerRequest,
  Target,
  TargetName,
  TaskIds,
  ToolTraits,
} from '../backends/index.js'
import {
  idOf,
  isJsonObject,
  JsonRpcError,
  RawJson,
  rawMembers,
  requireDistinctKeys,
  withMembers,
} from '../backends/index.js'
import { extendsTasks, runsTasks } from './capabilities.js'
import type { CatalogKeeper } from './catalog-keeper.js'
import {
  AmbiguousItemError,
  InvalidParamsError,
  UnknownItemError,
  UnknownMethodError,
} from './errors.js'
import type { StateSealer } from './input-required.js'
import { askerOf, withFitRequests, withInnerState, withSealedState } from './input-required.js'
import { stringIn } from './params.js'
import type { ExposedNames, Permit } from './permit.js'
import { resourceItem } from './permit.js'
import { ReadCache } from './read-cache.js'
import type { UriRoute } from './resource-uri.js'
import { deadLinks, forEachUri, mapUris, NO_LINKS } from './result-uris.js'
import { forClient } from './server-requests.js'
import type { FederationSettings } from './settings.js'
import { traitsOf } from './tool-traits.js'
import type { NameRoute, View } from './view.js'
import { permitItem } from './view.js'

/** Links seen in results, so that reading one finds its backend without asking around. */
const MAX_REMEMBERED_LINKS = 10_000
/** Longer ones are asked around for each time. */
const MAX_LINK_CHARS = 4_096

export interface CallRouterOptions {
  /** As they are now: a reload may change them. */
  readonly settings: () => FederationSettings
  /** The picture that clients have now; with a permit, those who have it. */
  readonly view: (permit?: Permit) => View
  /** The keepers of this server's backends by target, in order. */
  readonly keepers: () => ReadonlyMap<TargetName, CatalogKeeper>
  /** Of a backend by its id, chosen for the caller or not: what was begun there goes on there. */
  readonly keeperOf: (id: BackendId) => CatalogKeeper | undefined
  /** Counts what comes of a call of one server of several. */
  readonly counted?: (target: Target, asked: Promise<RawObject>) => Promise<RawObject>
  /** One target alone, under its original names. */
  readonly alone: boolean
  /** How permits know tools and prompts, where that is not how clients of this server do. */
  readonly names?: ExposedNames
  readonly taskIds: TaskIds
  /** For what clients carry between the rounds of a call. */
  readonly states: StateSealer
}

export class CallRouter {
  readonly #options: CallRouterOptions
  readonly #links = new LRUCache<string, Target>({ max: MAX_REMEMBERED_LINKS })
  readonly #reads = new ReadCache()

  constructor(options: CallRouterOptions) {
    this.#options = options
  }

  /**
   * Passes a call to the backend that owns what it names.
   * @throws at once or in the promise, one of `errors.ts`, or what `Backend.call` throws
   */
  call(call: Call, permit?: Permit): Promise<RawObject> {
    switch (call.method) {
      case 'tools/call':
        return this.#callTool(call, permit)
      case 'prompts/get':
        return this.#callNamed(call, this.named('prompt', call, permit), permit)
      case 'resources/read':
        return this.#read(call, permit)
      case 'completion/complete':
        return this.#complete(call, permit)
      case 'tasks/get':
      case 'tasks/result':
      case 'tasks/update':
      case 'tasks/cancel':
        return this.#aboutTask(call, permit)
      default:
        throw new UnknownMethodError(`Method not found: ${call.method.slice(0, 128)}`)
    }
  }

  /**
   * The backend of a resource, and its own URI there; `undefined` where neither list, template nor link tells.
   * @throws UnknownItemError where the permit forbids it; AmbiguousItemError
   */
  resourceRoute(
    uri: string,
    method: string,
    permit: Permit | undefined,
    params: JsonObject = { uri },
  ): UriRoute | undefined {
    const route = this.#ownerOf(uri, method, permit)
    if (route !== undefined && !mayUse(route, uri, method, permit, params)) {
      throw new UnknownItemError('resource', uri, true)
    }
    return route
  }

  #ownerOf(uri: string, method: string, permit: Permit | undefined): UriRoute | undefined {
    const { uris } = this.#options.view()
    try {
      const listed = uris.resolve(uri)
      if (listed !== undefined) return listed
    } catch (error) {
      if (!(error instanceof AmbiguousItemError) || permit === undefined) throw error
      // Whom the caller knows nothing of is not told as one to choose.
      const candidates = error.candidates.filter((it) => {
        const route = uris.resolve(it)
        return route !== undefined && mayUse(route, it, method, permit)
      })
      const [only] = candidates
      if (candidates.length > 1) throw new AmbiguousItemError('resource', uri, candidates)
      return only === undefined ? undefined : uris.resolve(only)
    }
    const target = this.#links.get(uri)
    return target === undefined ? undefined : { target, uri }
  }

  /**
   * What a call names.
   * @throws UnknownItemError for what is not there, and for what this call may not use; AmbiguousItemError;
   *   MalformedJsonError for arguments that a rule and a server could read as two different things
   */
  named(
    kind: 'tool' | 'prompt',
    { method, params }: Pick<Call, 'method' | 'params'>,
    permit: Permit | undefined,
    name: string = stringIn(params.value, 'name'),
  ): NameRoute {
    const route = this.routeOf(kind, name, permit)
    if (permit === undefined) return route
    requireDistinctKeys(params.text)
    const item = permitItem(kind, route, this.#options.names)
    const isAllowed = permit.allows(item, method, params.value)
    if (!isAllowed) throw new UnknownItemError(kind, name, true)
    return route
  }

  /**
   * What a name means, whether or not it may be used.
   * @throws UnknownItemError, AmbiguousItemError
   */
  routeOf(kind: 'tool' | 'prompt', name: string, permit: Permit | undefined): NameRoute {
    const indexOf = (view: View) => (kind === 'tool' ? view.tools : view.prompts)
    const all = indexOf(this.#options.view())
    // By its exposed name it may be used unseen; of bare names, those that the caller sees are meant.
    return permit === undefined
      ? all.resolve(name)
      : (all.exact(name) ?? indexOf(this.#options.view(permit)).resolve(name))
  }

  /** What a server has said of its resources no longer holds, of one or of all. */
  forgetReads(target: TargetName, uri?: string): void {
    this.#reads.forget(target, uri)
  }

  #callTool(call: Call, permit: Permit | undefined): Promise<RawObject> {
    const route = this.named('tool', call, permit)
    if (call.params.value['task'] !== undefined) {
      const server = this.#options.keepers().get(route.target.name)?.catalog?.server
      if (server !== undefined && !runsTasks(server)) {
        throw new UnknownMethodError(`The tool "${route.exposed}" cannot be called as a task`)
      }
    }
    return this.#callNamed(call, route, permit, traitsOf(route.raw, route.target))
  }

  #aboutTask(call: Call, permit: Permit | undefined): Promise<RawObject> {
    const isModern = call.caller.era === 'modern'
    const isLegacy = !isModern && call.method !== 'tasks/update'
    const isOffered = isModern ? this.#someone(extendsTasks) : isLegacy && this.#someone(runsTasks)
    if (!isOffered) throw new UnknownMethodError(`Method not found: ${call.method}`)
    const taskId = stringIn(call.params.value, 'taskId')
    const place = this.#options.taskIds.open(taskId, call.caller.principal)
    const keeper = place && this.#options.keeperOf(place.target)
    if (keeper === undefined) throw new UnknownItemError('task', taskId)
    return this.#send(keeper.backend.target, call, call.params, permit)
  }

  #callNamed(
    call: Call,
    { target, original }: NameRoute,
    permit: Permit | undefined,
    tool?: ToolTraits,
  ): Promise<RawObject> {
    const params = withMembers(call.params, { name: JSON.stringify(original) })
    return this.#send(target, call, params, permit, tool)
  }

  async #send(
    target: Target,
    call: Call,
    params: RawObject,
    permit: Permit | undefined,
    tool?: ToolTraits,
  ): Promise<RawObject> {
    return this.#exposed(target, await this.#ask(target, call, params, tool), permit)
  }

  /** The result in the names of the backend, for params in its names. */
  async #ask(target: Target, call: Call, params: RawObject, tool?: ToolTraits): Promise<RawObject> {
    const { alone, states, counted } = this.#options
    const keeper = this.#keeperFor(target, call)
    if (keeper === undefined) throw new UnknownItemError('tool', target.name)
    // Whoever is connected to one target alone knows who asks.
    const fit = (method: string, asked: RawObject): RawObject =>
      alone ? asked : forClient(method, asked, target.name, this.#options.settings())
    const { ask, caller } = call
    // A copy of a call costs as much as finding its owner, so there is one of them.
    const named: Call = {
      ...call,
      params,
      tool,
      ask: ask && ((it: ServerRequest) => ask({ ...it, params: fit(it.method, it.params) })),
    }
    const owner = keeper.backend.target
    const given = caller.era === 'modern' ? withInnerState(named, idOf(owner), states) : named
    const asked = keeper.backend.call(given)
    const isCounted = owner.variant !== undefined && counted !== undefined
    const result = await (isCounted ? counted(owner, asked) : asked)
    if (result.value['resultType'] === 'input_required') {
      const { requestState } = result.value
      const isParked = typeof requestState === 'string' && keeper.backend.isParked(requestState)
      return withSealedState(result, given, idOf(owner), states, isParked, fit)
    }
    return call.method === 'tasks/get' ? withFitRequests(result, fit) : result
  }

  /** Who answers: the server of the route, and a call that has come back goes to the variant that sent it for answers. */
  #keeperFor(target: Target, { params, caller }: Call): CatalogKeeper | undefined {
    const { keepers, keeperOf, states } = this.#options
    if (target.variant !== undefined && caller.era === 'modern') {
      const asker = askerOf(params, states)
      const keeper = asker && keeperOf(asker)
      if (keeper?.backend.target.name === target.name) return keeper
    }
    return keeperOf(idOf(target)) ?? keepers().get(target.name)
  }

  /** The result with its URIs as clients of this view know them, without links to what this one may not read. */
  #exposed(target: Target, result: RawObject, permit: Permit | undefined): RawObject {
    const { uris } = this.#options.view()
    forEachUri(result.value, (uri) => this.#remember(target, uri))
    const expose = (uri: string): string => uris.expose(target, uri)
    const dead = permit === undefined ? NO_LINKS : deadLinks(result.value, target, expose, permit)
    if (!uris.changesUris && dead.size === 0) return result
    return mapUris(result, expose, dead)
  }

  async #read(call: Call, permit: Permit | undefined): Promise<RawObject> {
    const uri = stringIn(call.params.value, 'uri')
    const route = this.resourceRoute(uri, call.method, permit)
    if (route !== undefined) {
      const { target } = route
      const params = withMembers(call.params, { uri: JSON.stringify(route.uri) })
      const known = this.#reads.get(target.name, params)
      const result = known ?? (await this.#ask(target, call, params))
      if (known === undefined) this.#reads.keep(target.name, params, result)
      return this.#exposed(
        target,
        target.variant === undefined ? result : notForAll(result),
        permit,
      )
    }
    return this.#probe(call, uri, permit)
  }

  /** Nobody listed it and nobody linked it; a server may still have it. Reading changes nothing, so all are asked. */
  async #probe(call: Call, uri: string, permit: Permit | undefined): Promise<RawObject> {
    let isDenied = false
    for (const { backend, catalog } of this.#keepers) {
      if (catalog?.server.capabilities['resources'] === undefined) continue
      if (backend.state.status !== 'ready' || backend.circuit.status !== 'closed') continue
      if (!mayUse({ target: backend.target, uri }, uri, call.method, permit)) {
        isDenied = true
        continue
      }
      try {
        const result = await this.#send(backend.target, call, call.params, permit)
        this.#learn(uri, backend.target)
        return result
      } catch (error) {
        if (!(error instanceof JsonRpcError)) throw error
      }
    }
    throw new UnknownItemError('resource', uri, isDenied)
  }

  async #complete(call: Call, permit: Permit | undefined): Promise<RawObject> {
    const ref = call.params.value['ref']
    if (!isJsonObject(ref)) throw new InvalidParamsError('"ref" must be an object')
    let target: Target
    let change: Record<string, string>
    if (ref['type'] === 'ref/prompt') {
      const name = stringIn(ref, 'name', 'ref.name')
      const route = this.named('prompt', call, permit, name)
      target = route.target
      change = { name: JSON.stringify(route.original) }
    } else if (ref['type'] === 'ref/resource') {
      const uri = stringIn(ref, 'uri', 'ref.uri')
      const route = this.resourceRoute(uri, call.method, permit, call.params.value)
      if (route === undefined) throw new UnknownItemError('resource', uri)
      target = route.target
      change = { uri: JSON.stringify(route.uri) }
    } else {
      throw new InvalidParamsError('"ref.type" must be "ref/prompt" or "ref/resource"')
    }
    const raw = RawJson.fromText<JsonObject>(rawMembers(call.params.text).get('ref') ?? '{}')
    const params = withMembers(call.params, { ref: withMembers(raw, change).text })
    return this.#send(target, call, params, permit)
  }

  #remember(target: Target, uri: string): void {
    if (this.#options.view().uris.expose(target, uri) === uri) this.#learn(uri, target)
  }

  #learn(uri: string, target: Target): void {
    if (uri.length <= MAX_LINK_CHARS) this.#links.set(uri, target)
  }

  get #keepers(): readonly CatalogKeeper[] {
    return [...this.#options.keepers().values()]
  }

  /** Whether a backend is like that, or has not been heard yet. */
  #someone(isLike: (server: ServerDescription) => boolean): boolean {
    return this.#keepers.some(({ catalog }) => catalog === undefined || isLike(catalog.server))
  }
}

/** Others who ask for the same may be answered by another variant. */
function notForAll(result: RawObject): RawObject {
  const { cacheScope } = result.value
  return cacheScope === 'public' ? withMembers(result, { cacheScope: '"private"' }) : result
}

function mayUse(
  { target, uri }: UriRoute,
  exposed: string,
  method: string,
  permit: Permit | undefined,
  params: JsonObject = { uri: exposed },
): boolean {
  return permit?.allows(resourceItem(target, uri, exposed), method, params) !== false
}
