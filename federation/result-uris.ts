/**
 * The places of a result where a URI stands as a URI (mcp-protocol.md §2.7), read and rewritten. Text, blobs and
 * structured content are never looked at, and what does not change keeps its text.
 *
 * A link leads to what is yet to be read, and goes where that may not be. An embedded resource is what a tool that may be
 * called has answered, and stays.
 */
import type { JsonObject, JsonValue, RawObject, Target } from '../backends/index.js'
import { isJsonObject, joinMembers, RawJson, rawElements, rawMembers } from '../backends/index.js'
import type { Permit } from './permit.js'
import { resourceItem } from './permit.js'
import { isGlobal } from './resource-uri.js'

type Visit = (uri: string) => void

/**
 * Visits every URI of a result of `tools/call`, `prompts/get` or `resources/read`, or of a task that has come to one. Each
 * result is looked through, so nothing is made of it on the way.
 */
export function forEachUri(result: JsonObject, visit: Visit): void {
  if (isJsonObject(result['result'])) forEachUri(result['result'], visit)
  for (const part of arrayOf(result['contents'])) visitString(part, 'uri', visit)
  for (const block of arrayOf(result['content'])) forBlock(block, visit)
  for (const message of arrayOf(result['messages'])) {
    if (isJsonObject(message)) forBlock(message['content'], visit)
  }
}

export const NO_LINKS: ReadonlySet<string> = new Set()

/** The links of a result or of a tool's definition that lead its reader nowhere. */
export function deadLinks(
  value: JsonObject,
  target: Target,
  expose: (uri: string) => string,
  permit: Permit,
): ReadonlySet<string> {
  let dead: Set<string> | undefined
  forEachLink(value, (uri) => {
    const exposed = expose(uri)
    const item = resourceItem(target, uri, exposed)
    if (isGlobal(uri) || permit.would(item, 'resources/read', { uri: exposed })) return
    dead = (dead ?? new Set()).add(uri)
  })
  return dead ?? NO_LINKS
}

/** The result with each of its URIs replaced by `map` of it, less these links. */
export function mapUris(
  result: RawObject,
  map: (uri: string) => string,
  dead: ReadonlySet<string> = NO_LINKS,
): RawObject {
  const uri = uriEdit(map)
  const link = linkEdit(uri, dead)
  const block = blockEdit(uri, link)
  const edits = {
    contents: arrayEdit(objectEdit({ uri })),
    content: arrayEdit(block),
    messages: arrayEdit(wholeEdit('content', block)),
    _meta: metaEdit(link),
  }
  const inner = objectEdit(edits)
  const edit = objectEdit({ ...edits, result: (it) => inner(it) ?? '{}' })
  const text = edit(result.text) ?? '{}'
  return text === result.text ? result : RawJson.fromText(text)
}

/**
 * A tool's definition with the links to its user interface (MCP Apps, 2026-01-26) replaced, less these; what else is said
 * of that interface, such as who may see the tool, stays.
 */
export function mapToolUris(
  tool: RawObject,
  map: (uri: string) => string,
  dead: ReadonlySet<string> = NO_LINKS,
): RawObject {
  if (!isJsonObject(tool.value['_meta'])) return tool
  const text = objectEdit({ _meta: metaEdit(linkEdit(uriEdit(map), dead)) })(tool.text) ?? '{}'
  return text === tool.text ? tool : RawJson.fromText(text)
}

const UI = 'ui'
const RESOURCE_URI = 'resourceUri'
/** The older form of the standard member, and one vendor's. */
const FLAT_LINKS = ['ui/resourceUri', 'openai/outputTemplate'] as const

/**
 * Raw JSON text in, raw JSON text out, or nothing where it goes. Text of another shape than the edit expects comes back as
 * it is.
 */
type Edit = (text: string) => string | undefined

function uriEdit(map: (uri: string) => string): Edit {
  return (text) => {
    if (!text.startsWith('"')) return text
    const uri = JSON.parse(text) as string
    const mapped = map(uri)
    return mapped === uri ? text : JSON.stringify(mapped)
  }
}

function linkEdit(uri: Edit, dead: ReadonlySet<string>): Edit {
  return (text) =>
    text.startsWith('"') && dead.has(JSON.parse(text) as string) ? undefined : uri(text)
}

function blockEdit(uri: Edit, toResource: Edit): Edit {
  const link = wholeEdit('uri', toResource)
  const embedded = objectEdit({ resource: objectEdit({ uri }) })
  return (text) => {
    const type = text.startsWith('{') ? rawMembers(text).get('type') : undefined
    if (type === '"resource_link"') return link(text)
    return type === '"resource"' ? embedded(text) : text
  }
}

function metaEdit(link: Edit): Edit {
  return objectEdit({
    [UI]: objectEdit({ [RESOURCE_URI]: link }),
    ...Object.fromEntries(FLAT_LINKS.map((key) => [key, link])),
  })
}

/** An object that goes with this member of it. */
function wholeEdit(key: string, edit: Edit): Edit {
  const rest = objectEdit({ [key]: edit })
  return (text) => {
    const member = text.startsWith('{') ? rawMembers(text).get(key) : undefined
    return member !== undefined && edit(member) === undefined ? undefined : rest(text)
  }
}

/** An object from which members may go; it goes with the last. */
function objectEdit(edits: Readonly<Record<string, Edit>>): Edit {
  return (text) => {
    if (!text.startsWith('{')) return text
    const members = rawMembers(text)
    let changed = false
    for (const [key, edit] of Object.entries(edits)) {
      const before = members.get(key)
      if (before === undefined) continue
      const after = edit(before)
      if (after !== before) {
        if (after === undefined) members.delete(key)
        else members.set(key, after)
        changed = true
      }
    }
    if (!changed) return text
    return members.size === 0 ? undefined : joinMembers(members)
  }
}

function arrayEdit(edit: Edit): Edit {
  return (text) => {
    if (!text.startsWith('[')) return text
    const before = rawElements(text)
    const after = before.map(edit)
    if (after.every((element, index) => element === before[index])) return text
    return `[${after.filter((element) => element !== undefined).join(',')}]`
  }
}

function forBlock(block: JsonValue | undefined, visit: Visit): void {
  forLink(block, visit)
  if (isJsonObject(block) && block['type'] === 'resource') {
    visitString(block['resource'], 'uri', visit)
  }
}

function forLink(block: JsonValue | undefined, visit: Visit): void {
  if (isJsonObject(block) && block['type'] === 'resource_link') visitString(block, 'uri', visit)
}

/** Visits the URIs at which something is said to be; of a tool's definition those of its user interface. */
function forEachLink(value: JsonObject, visit: Visit): void {
  if (isJsonObject(value['result'])) forEachLink(value['result'], visit)
  for (const block of arrayOf(value['content'])) forLink(block, visit)
  for (const message of arrayOf(value['messages'])) {
    if (isJsonObject(message)) forLink(message['content'], visit)
  }
  const meta = value['_meta']
  if (!isJsonObject(meta)) return
  visitString(meta[UI], RESOURCE_URI, visit)
  for (const key of FLAT_LINKS) visitString(meta, key, visit)
}

function visitString(value: JsonValue | undefined, key: string, visit: Visit): void {
  const member = isJsonObject(value) ? value[key] : undefined
  if (typeof member === 'string') visit(member)
}

function arrayOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : []
}
