/** What one backend offers: whole lists, drained over all pages, with the text of each item kept. */
import type { Backend, JsonObject, RawObject, ServerDescription } from '../backends/index.js'
import {
  EMPTY_OBJECT,
  ErrorCode,
  isJsonObject,
  JsonRpcError,
  MalformedJsonError,
  MODERN_VERSION,
  RawJson,
  rawElements,
  rawMembers,
  requireDistinctKeys,
} from '../backends/index.js'

import { faultOf } from './tool-traits.js'

export type CatalogKind = 'tools' | 'prompts' | 'resources' | 'templates'

export const CATALOG_KINDS: readonly CatalogKind[] = ['tools', 'prompts', 'resources', 'templates']

/** How each list is asked for: the method, where the items stand in its result, and what identifies one. */
export const LISTS = {
  tools: { method: 'tools/list', member: 'tools', key: 'name', capability: 'tools' },
  prompts: { method: 'prompts/list', member: 'prompts', key: 'name', capability: 'prompts' },
  resources: { method: 'resources/list', member: 'resources', key: 'uri', capability: 'resources' },
  templates: {
    method: 'resources/templates/list',
    member: 'resourceTemplates',
    key: 'uriTemplate',
    capability: 'resources',
  },
} as const satisfies Record<CatalogKind, object>

/** A tool, prompt, resource or template as the backend wrote it. `key` is its original name, URI or template. */
export interface Item {
  readonly key: string
  readonly raw: RawObject
}

/** How long a list may be taken for current, and by whom (2026-07-28 server/utilities/caching). */
export interface Freshness {
  /** By `performance.now()`. */
  readonly until: number
  readonly scope: 'public' | 'private'
}

export interface BackendCatalog {
  readonly server: ServerDescription
  readonly items: Readonly<Record<CatalogKind, readonly Item[]>>
  /** What the server said of its lists; nothing where it does not know the like. */
  readonly freshness: Readonly<Partial<Record<CatalogKind, Freshness>>>
}

export interface DrainedList {
  readonly items: readonly Item[]
  readonly freshness: Freshness | undefined
}

export const NO_ITEMS: BackendCatalog['items'] = {
  tools: [],
  prompts: [],
  resources: [],
  templates: [],
}

/** Lists without end are not believed. */
const MAX_PAGES = 1_000
const MAX_ITEMS = 100_000
/** Longer names and URIs nobody calls anything by. */
const MAX_KEY = 8_192

/** A list that does not end, or is none. */
class BadListError extends Error {
  readonly code = 'ERR_BAD_LIST'
}

/**
 * Reads all pages of one list (an empty cursor is a cursor: 2025-11-25 server/utilities/pagination). Items without
 * a key, and second ones of the same key, are left out and told to `onOddItem`.
 * @throws what `Backend.list` throws, or BadListError; then nothing of the list may be used
 */
export async function drainList(
  backend: Backend,
  server: ServerDescription,
  kind: CatalogKind,
  onOddItem: (what: string) => void,
): Promise<DrainedList> {
  const { method, member, key, capability } = LISTS[kind]
  if (server.capabilities[capability] === undefined) return NO_LIST
  let freshness: Freshness | undefined
  const isChecked =
    server.protocolVersion === MODERN_VERSION && backend.target.endpoint.kind === 'http'
  const items = new Map<string, Item>()
  const cursors = new Set<string>()
  let params: RawObject = EMPTY_OBJECT
  for (let page = 0; page < MAX_PAGES; page++) {
    const result = await ask(backend, method, params, kind)
    if (result === undefined) return NO_LIST
    freshness = leastFresh(freshness, freshnessOf(result.value))
    for (const item of readItems(result, member, key, onOddItem)) {
      const fault = kind === 'tools' && isChecked ? faultOf(item.raw) : undefined
      if (fault !== undefined) onOddItem(`${method}: "${clip(item.key)}": ${fault}`)
      else if (items.has(item.key)) onOddItem(`${method}: "${clip(item.key)}" is listed twice`)
      else items.set(item.key, item)
    }
    if (items.size > MAX_ITEMS) throw new BadListError(`${method}: more than ${MAX_ITEMS} items`)
    const cursor = result.value['nextCursor']
    if (typeof cursor !== 'string') return { items: [...items.values()], freshness }
    if (cursors.has(cursor)) throw new BadListError(`${method}: a cursor came twice`)
    cursors.add(cursor)
    params = RawJson.fromValue<JsonObject>({ cursor })
  }
  throw new BadListError(`${method}: more than ${MAX_PAGES} pages`)
}

const NO_LIST: DrainedList = { items: [], freshness: undefined }

function freshnessOf({ ttlMs, cacheScope }: JsonObject): Freshness | undefined {
  if (typeof ttlMs !== 'number' || !(ttlMs >= 0)) return undefined
  return { until: performance.now() + ttlMs, scope: cacheScope === 'public' ? 'public' : 'private' }
}

/** A list is as fresh as the least of its pages, and for no more people than any of them. */
function leastFresh(a: Freshness | undefined, b: Freshness | undefined): Freshness | undefined {
  if (a === undefined || b === undefined) return a ?? b
  const isPublic = a.scope === 'public' && b.scope === 'public'
  return { until: Math.min(a.until, b.until), scope: isPublic ? 'public' : 'private' }
}

async function ask(
  backend: Backend,
  method: string,
  params: RawObject,
  kind: CatalogKind,
): Promise<RawObject | undefined> {
  try {
    return await backend.list(method, params)
  } catch (error) {
    // Many servers have resources and never heard of templates.
    const unknown = error instanceof JsonRpcError && error.rpcCode === ErrorCode.MethodNotFound
    if (kind === 'templates' && unknown) return undefined
    throw error
  }
}

function* readItems(
  result: RawObject,
  member: string,
  key: string,
  onOddItem: (what: string) => void,
): Iterable<Item> {
  const values = result.value[member]
  const text = rawMembers(result.text).get(member)
  if (!Array.isArray(values) || text === undefined) {
    throw new BadListError(`the result has no array "${member}"`)
  }
  const texts = rawElements(text)
  for (const [index, value] of values.entries()) {
    const id = isJsonObject(value) ? value[key] : undefined
    const raw = texts[index]
    if (!isJsonObject(value) || typeof id !== 'string' || raw === undefined) {
      onOddItem(`${member}[${index}] has no "${key}"`)
    } else if (id.length > MAX_KEY) {
      onOddItem(`${member}[${index}] has a "${key}" of more than ${MAX_KEY} characters`)
    } else yield { key: id, raw: readItem(raw, value) }
  }
}

/** The text as it came, unless a key stands twice in it: then what everybody who parses it sees. */
function readItem(text: string, value: JsonObject): RawObject {
  try {
    requireDistinctKeys(text)
    return RawJson.fromText(text, value)
  } catch (error) {
    if (!(error instanceof MalformedJsonError)) throw error
    return RawJson.fromValue(value)
  }
}

/** A peer's text for a message of ours. */
function clip(text: string): string {
  return text.slice(0, 128)
}
