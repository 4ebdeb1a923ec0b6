/**
 * What one caller may see and use. Federation asks and does not know why; whoever made the permit knows who calls. What is
 * not permitted is not there: it is answered as what is absent, in the same words.
 */
import type { JsonObject, Target, TargetName } from '../backends/index.js'
import { EMPTY_OBJECT } from '../backends/index.js'

/** What something may be done with. Names are those of the backend. */
export interface PermitItem {
  readonly kind: 'tool' | 'prompt' | 'resource'
  /** Of a resource the URI, of a template the template. */
  readonly name: string
  /** Of a tool or prompt the name in the whole federation, whichever part of it is asked. */
  readonly exposedName: string
  readonly target: TargetName
  /** Of a tool, as its server declares them. */
  readonly annotations: JsonObject
}

/** What a tool or prompt is called in the whole federation, or would be if it were there. */
export type ExposedNames = (kind: 'tool' | 'prompt', target: TargetName, original: string) => string

export interface Permit {
  /** Permits of one key decide alike, so that what is made for one serves all. */
  readonly key: string
  /** Whether it stands in lists: whether there is anything that may be done with it. */
  shows(item: PermitItem): boolean
  /** Whether this may be done with it. `params` are those of the request, as the caller wrote them. */
  allows(item: PermitItem, method: string, params: JsonObject): boolean
  /** The same, asked by the way: to ask is no use of it. */
  would(item: PermitItem, method: string, params: JsonObject): boolean
}

/** A resource as a permit is asked about it. */
export function resourceItem(target: Target, uri: string, exposedName: string): PermitItem {
  return {
    kind: 'resource',
    name: uri,
    exposedName,
    target: target.name,
    annotations: EMPTY_OBJECT.value,
  }
}
