/** Targets and catalogs for tests of federation, made from the fewest words. */
import type { JsonObject, Target } from '../../backends/index.js'
import { RawJson, targetSchema } from '../../backends/index.js'
import type { BackendCatalog } from '../../federation/catalog.js'

export function target(name: string, options: JsonObject = {}): Target {
  return targetSchema.parse({ name, mcp: { url: 'http://127.0.0.1:1/mcp' }, ...options })
}

interface Lists {
  readonly tools?: readonly JsonObject[]
  readonly prompts?: readonly JsonObject[]
  readonly resources?: readonly JsonObject[]
  readonly templates?: readonly JsonObject[]
}

export function catalog(lists: Lists, capabilities: JsonObject = {}): BackendCatalog {
  const items = (objects: readonly JsonObject[] = [], key: string) =>
    objects.map((object) => ({ key: String(object[key]), raw: RawJson.fromValue(object) }))
  return {
    server: { protocolVersion: '2025-11-25', info: {}, capabilities, instructions: undefined },
    freshness: {},
    items: {
      tools: items(lists.tools, 'name'),
      prompts: items(lists.prompts, 'name'),
      resources: items(lists.resources, 'uri'),
      templates: items(lists.templates, 'uriTemplate'),
    },
  }
}
