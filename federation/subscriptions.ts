/** Who follows which resource: from the URI that a caller knows to the backend that has it, and the way back of changes. */
import type { Backend, Caller, JsonObject, RawObject, TargetName } from '../backends/index.js'
import { EMPTY_OBJECT, isJsonObject, RawJson } from '../backends/index.js'
import type { CallRouter } from './call-router.js'
import type { CatalogKeeper } from './catalog-keeper.js'
import { UnknownItemError, UnknownMethodError } from './errors.js'
import { stringIn } from './params.js'
import type { Permit } from './permit.js'
import { resourceItem } from './permit.js'
import type { UriRoute } from './resource-uri.js'
import type { View } from './view.js'

export interface SubscriptionsOptions {
  readonly router: CallRouter
  /** As they are now. */
  readonly keepers: () => ReadonlyMap<TargetName, CatalogKeeper>
  readonly view: () => View
}

export class Subscriptions {
  readonly #options: SubscriptionsOptions

  constructor(options: SubscriptionsOptions) {
    this.#options = options
  }

  /**
   * Follows a resource: the caller is told of changes, under the URI by which it knows the resource.
   * @throws one of `errors.ts`, or what `Backend.subscribe` throws
   */
  async subscribe(caller: Caller, params: RawObject, permit?: Permit): Promise<RawObject> {
    const { target, uri, backend } = this.#followed('resources/subscribe', params, permit)
    const { router, view } = this.#options
    await backend.subscribe(caller, uri, (changed) => {
      router.forgetReads(target.name, changed)
      const exposed = view().uris.expose(target, changed)
      // Rules may have become others since.
      if (permit?.shows(resourceItem(target, changed, exposed)) === false) return
      caller.notify({
        method: 'notifications/resources/updated',
        params: RawJson.fromValue<JsonObject>({ uri: exposed }),
      })
    })
    return EMPTY_OBJECT
  }

  /** @throws as `subscribe` */
  async unsubscribe(caller: Caller, params: RawObject, permit?: Permit): Promise<RawObject> {
    const { uri, backend } = this.#followed('resources/unsubscribe', params, permit)
    await backend.unsubscribe(caller, uri)
    return EMPTY_OBJECT
  }

  #followed(
    method: string,
    params: RawObject,
    permit: Permit | undefined,
  ): UriRoute & { readonly backend: Backend } {
    const { router, keepers } = this.#options
    const uri = stringIn(params.value, 'uri')
    const route = router.resourceRoute(uri, method, permit)
    const keeper = route && keepers().get(route.target.name)
    if (route === undefined || keeper === undefined) throw new UnknownItemError('resource', uri)
    const { resources } = keeper.catalog?.server.capabilities ?? {}
    if (!isJsonObject(resources) || resources['subscribe'] !== true) {
      throw new UnknownMethodError(`The server "${route.target.name}" has no subscriptions`)
    }
    return { ...route, backend: keeper.backend }
  }
}
