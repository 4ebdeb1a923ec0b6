/** What requests name, for whoever counts, limits or records them: whose it is, and by which name the whole knows it. */
import type { JsonObject, TargetName } from '../backends/index.js'
import { isJsonObject } from '../backends/index.js'
import type { CallRouter, CallRouterOptions } from './call-router.js'
import type { Permit } from './permit.js'
import type { NameRoute } from './view.js'
import { permitItem } from './view.js'

/** What a request is about. */
export interface CalledItem {
  readonly kind: 'tool' | 'prompt' | 'resource'
  /** Of a tool or prompt the name in the whole federation, as far as there is one; of a resource the URI. */
  readonly name: string
  readonly target: TargetName | undefined
  /** Whether it is in the catalog. */
  readonly isKnown: boolean
}

const KINDS: ReadonlyMap<string, CalledItem['kind']> = new Map([
  ['tools/call', 'tool'],
  ['prompts/get', 'prompt'],
  ['resources/read', 'resource'],
  ['resources/subscribe', 'resource'],
  ['resources/unsubscribe', 'resource'],
])

export class CalledItems {
  readonly #options: Pick<CallRouterOptions, 'view' | 'keepers' | 'alone' | 'names'>
  readonly #router: CallRouter

  constructor(
    options: Pick<CallRouterOptions, 'view' | 'keepers' | 'alone' | 'names'>,
    router: CallRouter,
  ) {
    this.#options = options
    this.#router = router
  }

  /** As `VirtualServer.toolCalled`. */
  toolCalled(name: string, permit?: Permit, params?: JsonObject): string {
    const { names, alone, keepers } = this.#options
    const meant = this.#routeOf('tool', name, permit)
    const mayBe = (it: NameRoute): boolean =>
      params === undefined ||
      permit?.would(permitItem('tool', it, names), 'tools/call', params) !== false
    const route = meant !== undefined && mayBe(meant) ? meant : undefined
    if (names === undefined) return route?.exposed ?? name
    if (route !== undefined) return names('tool', route.target.name, route.original)
    const [target] = alone ? keepers().keys() : []
    return target === undefined ? name : names('tool', target, name)
  }

  /** As `VirtualServer.itemOf`. */
  itemOf(method: string, params: JsonObject, permit?: Permit): CalledItem | undefined {
    const ref = method === 'completion/complete' ? params['ref'] : undefined
    const { name, uri } = isJsonObject(ref) ? ref : params
    const kind = isJsonObject(ref) ? (uri === undefined ? 'prompt' : 'resource') : KINDS.get(method)
    const given = kind === 'resource' ? uri : name
    if (kind === undefined || typeof given !== 'string') return undefined
    if (kind === 'resource') {
      const target = this.#options.view().uris.ownerOf(given)
      return { kind, name: given, target, isKnown: target !== undefined }
    }
    const route = this.#routeOf(kind, given, permit)
    if (route === undefined) return { kind, name: given, target: undefined, isKnown: false }
    const { name: target } = route.target
    const exposed = this.#options.names?.(kind, target, route.original) ?? route.exposed
    return { kind, name: exposed, target, isKnown: true }
  }

  /** As `VirtualServer.ownerOf`. */
  ownerOf(method: string, { name, uri }: JsonObject, permit?: Permit): TargetName | undefined {
    if (method === 'resources/read')
      return typeof uri === 'string' ? this.#options.view().uris.ownerOf(uri) : undefined
    if (typeof name !== 'string') return undefined
    return this.#routeOf(method === 'tools/call' ? 'tool' : 'prompt', name, permit)?.target.name
  }

  #routeOf(
    kind: 'tool' | 'prompt',
    name: string,
    permit: Permit | undefined,
  ): NameRoute | undefined {
    try {
      return this.#router.routeOf(kind, name, permit)
    } catch {
      return undefined
    }
  }
}
