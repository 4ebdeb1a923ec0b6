/**
 * The places of a result where a URI stands as a URI (mcp-protocol.md §2.7), read and rewritten. Text, blobs and
 * structured content are never looked at, and what does not change keeps its text.
 */
import type { JsonObject, JsonValue, RawObject } from '../backends/index.js'
import { isJsonObject, joinMembers, RawJson, rawElements, rawMembers } from '../backends/index.js'

/** Every URI of a result of `tools/call`, `prompts/get` or `resources/read`, or of a task that has come to one. */
export function* urisOf(result: JsonObject): Iterable<string> {
  if (isJsonObject(result['result'])) yield* urisOf(result['result'])
  for (const part of arrayOf(result['contents'])) yield* stringIn(part, 'uri')
  for (const block of arrayOf(result['content'])) yield* urisOfBlock(block)
  for (const message of arrayOf(result['messages'])) {
    if (isJsonObject(message)) yield* urisOfBlock(message['content'])
  }
}

/** The result with each of its URIs replaced by `map` of it. */
export function mapUris(result: RawObject, map: (uri: string) => string): RawObject {
  const uri = uriEdit(map)
  const block = blockEdit(uri)
  const edits = {
    contents: arrayEdit(objectEdit({ uri })),
    content: arrayEdit(block),
    messages: arrayEdit(objectEdit({ content: block })),
    _meta: metaEdit(uri),
  }
  const edit = objectEdit({ ...edits, result: objectEdit(edits) })
  const text = edit(result.text)
  return text === result.text ? result : RawJson.fromText(text)
}

/** A tool's definition with the link to its user interface replaced (MCP Apps, 2026-01-26). */
export function mapToolUris(tool: RawObject, map: (uri: string) => string): RawObject {
  if (!isJsonObject(tool.value['_meta'])) return tool
  const text = objectEdit({ _meta: metaEdit(uriEdit(map)) })(tool.text)
  return text === tool.text ? tool : RawJson.fromText(text)
}

/** Raw JSON text in, raw JSON text out. Text of another shape than the edit expects comes back as it is. */
type Edit = (text: string) => string

function uriEdit(map: (uri: string) => string): Edit {
  return (text) => {
    if (!text.startsWith('"')) return text
    const uri = JSON.parse(text) as string
    const mapped = map(uri)
    return mapped === uri ? text : JSON.stringify(mapped)
  }
}

function blockEdit(uri: Edit): Edit {
  const link = objectEdit({ uri })
  const embedded = objectEdit({ resource: objectEdit({ uri }) })
  return (text) => {
    const type = text.startsWith('{') ? rawMembers(text).get('type') : undefined
    if (type === '"resource_link"') return link(text)
    return type === '"resource"' ? embedded(text) : text
  }
}

/** The standard member, its older flat form, and one vendor's. */
function metaEdit(uri: Edit): Edit {
  return objectEdit({
    ui: objectEdit({ resourceUri: uri }),
    'ui/resourceUri': uri,
    'openai/outputTemplate': uri,
  })
}

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
        members.set(key, after)
        changed = true
      }
    }
    return changed ? joinMembers(members) : text
  }
}

function arrayEdit(edit: Edit): Edit {
  return (text) => {
    if (!text.startsWith('[')) return text
    const before = rawElements(text)
    const after = before.map(edit)
    return after.some((element, index) => element !== before[index]) ? `[${after.join(',')}]` : text
  }
}

function* urisOfBlock(block: JsonValue | undefined): Iterable<string> {
  if (!isJsonObject(block)) return
  if (block['type'] === 'resource_link') yield* stringIn(block, 'uri')
  else if (block['type'] === 'resource') yield* stringIn(block['resource'], 'uri')
}

function* stringIn(value: JsonValue | undefined, key: string): Iterable<string> {
  const member = isJsonObject(value) ? value[key] : undefined
  if (typeof member === 'string') yield member
}

function arrayOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : []
}
