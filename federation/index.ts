/** The door of `federation`: many backends seen as one MCP server. */
export type { CatalogKind } from './catalog.js'
export { CATALOG_KINDS, drainList, LISTS } from './catalog.js'
export type { CatalogKeeper, RefreshReport } from './catalog-keeper.js'
export type { Choice } from './choice.js'
export type { Approvals } from './definition-guard.js'
export { fingerprintOf } from './definition-guard.js'
export {
  AmbiguousItemError,
  InvalidParamsError,
  ListUnavailableError,
  UnknownItemError,
  UnknownMethodError,
} from './errors.js'
export { Federation } from './federation.js'
export type { StateSealer } from './input-required.js'
export { placeOfState } from './input-required.js'
export type { Collision } from './naming.js'
export type { OfferedTools } from './offered-tools.js'
export type { Pattern } from './pattern.js'
export { globPattern, matches } from './pattern.js'
export type { Permit, PermitItem } from './permit.js'
export { resourceItem } from './permit.js'
export type { FederationSettings } from './settings.js'
export { federationSchema } from './settings.js'
export type { CacheHint, ListAnswer } from './lists.js'
export { NOT_CACHED } from './lists.js'
export type { ServerSelf } from './self.js'
export type { VirtualServer } from './virtual-server.js'
export type { InventoryItem } from './view.js'
