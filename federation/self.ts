/** What one virtual server says of itself. Each client asks, and there may be many backends, so it is put together once. */
import type { Era, JsonObject, RawObject, TargetName } from '../backends/index.js'
import { RawJson } from '../backends/index.js'
import { mergeCapabilities, mergeInstructions } from './capabilities.js'
import type { CatalogKeeper } from './catalog-keeper.js'
import type { FederationSettings } from './settings.js'

export interface ServerSelf {
  readonly capabilities: JsonObject
  readonly instructions: string | undefined
  readonly serverInfo: JsonObject
}

export interface SelfOptions {
  readonly keepers: () => ReadonlyMap<TargetName, CatalogKeeper>
  readonly settings: () => FederationSettings
  /** One target alone: its instructions need no name before them. */
  readonly alone: boolean
  /** Version told to clients where the settings give none. */
  readonly version: string
}

export class Self {
  readonly #options: SelfOptions
  readonly #known = new Map<Era, ServerSelf>()
  #info:
    { readonly settings: FederationSettings['serverInfo']; readonly raw: RawObject } | undefined

  constructor(options: SelfOptions) {
    this.#options = options
  }

  /** To clients of an era; no backend is asked. */
  describe(era: Era): ServerSelf {
    const known = this.#known.get(era)
    if (known !== undefined) return known
    const self = this.#description(era)
    this.#known.set(era, self)
    return self
  }

  /** What it calls itself: in each answer of 2026-07-28. */
  get serverInfo(): RawObject {
    const { serverInfo: settings } = this.#options.settings()
    if (this.#info?.settings !== settings) {
      const { name, version = this.#options.version, title } = settings
      const info: JsonObject = { name, version, ...(title === undefined ? {} : { title }) }
      this.#info = { settings, raw: RawJson.fromValue(info) }
    }
    return this.#info.raw
  }

  /** Something has changed. */
  invalidate(): void {
    this.#known.clear()
  }

  #description(era: Era): ServerSelf {
    const { alone, keepers, settings } = this.#options
    const backends = [...keepers().values()].map(({ backend, catalog }) => ({
      target: backend.target,
      server: catalog?.server,
    }))
    return {
      capabilities: mergeCapabilities(backends, era),
      instructions: mergeInstructions(settings().instructions, backends, !alone),
      serverInfo: this.serverInfo.value,
    }
  }
}
