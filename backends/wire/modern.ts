/**
 * The words of revision 2026-07-28 that both hops use: its keys in `_meta`, and how values of a message are repeated in
 * HTTP headers (2026-07-28 basic/transports/streamable-http).
 */
import type { JsonObject, JsonValue } from './raw-json.js'
import { isJsonObject } from './raw-json.js'

export const MODERN_VERSION = '2026-07-28'

const PREFIX = 'io.modelcontextprotocol/'

/** Reserved keys of `_meta`. All of them belong to a hop. */
export const MetaKey = {
  protocolVersion: `${PREFIX}protocolVersion`,
  clientInfo: `${PREFIX}clientInfo`,
  clientCapabilities: `${PREFIX}clientCapabilities`,
  logLevel: `${PREFIX}logLevel`,
  subscriptionId: `${PREFIX}subscriptionId`,
  serverInfo: `${PREFIX}serverInfo`,
} as const

export const TASKS_EXTENSION = `${PREFIX}tasks`

/** The member of `params` that the `Mcp-Name` header repeats, by method. */
const NAMED_BY: Readonly<Record<string, string>> = {
  'tools/call': 'name',
  'prompts/get': 'name',
  'resources/read': 'uri',
  'tasks/get': 'taskId',
  'tasks/update': 'taskId',
  'tasks/cancel': 'taskId',
}

/** The value that `Mcp-Name` repeats; `undefined` where the method has none. */
export function nameOf(method: string, params: JsonObject): JsonValue | undefined {
  const member = Object.hasOwn(NAMED_BY, method) ? NAMED_BY[method] : undefined
  return member === undefined ? undefined : params[member]
}

const SENTINEL = /^=\?base64\?(.*)\?=$/s
/** Visible ASCII, with spaces and tabs within. */
const PLAIN = /^(?:[\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)?$/
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** The value as a header can hold it. */
export function encodeHeader(value: string): string {
  if (PLAIN.test(value) && !SENTINEL.test(value)) return value
  return `=?base64?${Buffer.from(value).toString('base64')}?=`
}

/** What a header's value stands for; `undefined` where it is no valid encoding. */
export function decodeHeader(header: string): string | undefined {
  const text = header.replace(/^[ \t]+|[ \t]+$/g, '')
  const [, encoded] = SENTINEL.exec(text) ?? []
  if (encoded === undefined) return PLAIN.test(text) ? text : undefined
  if (!BASE64.test(encoded)) return undefined
  const decoded = Buffer.from(encoded, 'base64')
  const value = decoded.toString()
  // What is no UTF-8 stands for nothing.
  return Buffer.from(value).equals(decoded) ? value : undefined
}

/** An argument that a tool wants repeated in a header. */
export interface ParamHeader {
  /** In lower case, with its `mcp-param-`. */
  readonly header: string
  /** Keys from the arguments down to the value. */
  readonly path: readonly string[]
}

/** A tool's schema asks for headers in a way that the specification does not allow. */
export class BadParamHeaderError extends Error {
  readonly code = 'ERR_BAD_PARAM_HEADER'
}

const ANNOTATION = 'x-mcp-header'
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
const PRIMITIVES: ReadonlySet<unknown> = new Set(['string', 'integer', 'boolean'])

/**
 * The arguments that a tool's input schema wants repeated in headers.
 * @throws BadParamHeaderError for a tool that must not be offered over HTTP
 */
export function paramHeadersOf(inputSchema: JsonValue | undefined): readonly ParamHeader[] {
  if (!isJsonObject(inputSchema) || !mentionsHeaders(inputSchema)) return []
  const found: ParamHeader[] = []
  collect(inputSchema, [], true, found)
  const names = new Set(found.map((it) => it.header))
  if (names.size < found.length) throw new BadParamHeaderError(`two ${ANNOTATION} of one name`)
  return found
}

/** The headers of a call with these arguments, as they are sent. */
export function paramHeaderValues(
  headers: readonly ParamHeader[],
  given: JsonValue | undefined,
): Record<string, string> {
  const values: Record<string, string> = {}
  for (const { header, path } of headers) {
    const value = valueAt(given, path)
    if (value !== undefined) values[header] = encodeHeader(String(value))
  }
  return values
}

/** The value that a header repeats; `undefined` where the header must be absent. */
export function valueAt(
  given: JsonValue | undefined,
  path: readonly string[],
): string | number | boolean | undefined {
  let value = given
  for (const key of path) {
    value = isJsonObject(value) && Object.hasOwn(value, key) ? value[key] : undefined
  }
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? value
    : undefined
}

/** Most tools have none, and their schemas are not walked. */
function mentionsHeaders(schema: JsonObject): boolean {
  return JSON.stringify(schema).includes(`"${ANNOTATION}"`)
}

/** `isReachable`: by way of `properties` alone, so that a header's value can be found without running the schema. */
function collect(
  schema: JsonValue,
  path: readonly string[],
  isReachable: boolean,
  found: ParamHeader[],
): void {
  if (Array.isArray(schema)) {
    for (const element of schema) collect(element, path, false, found)
  }
  if (!isJsonObject(schema)) return
  const name = schema[ANNOTATION]
  if (name !== undefined) {
    if (!isReachable || path.length === 0) {
      throw new BadParamHeaderError(`${ANNOTATION} where no argument is`)
    }
    if (typeof name !== 'string' || !TOKEN.test(name)) {
      throw new BadParamHeaderError(`${ANNOTATION} is not the name of a header`)
    }
    if (!PRIMITIVES.has(schema['type'])) {
      throw new BadParamHeaderError(`${ANNOTATION} on what is no string, integer or boolean`)
    }
    found.push({ header: `mcp-param-${name.toLowerCase()}`, path })
  }
  for (const [key, member] of Object.entries(schema)) {
    if (key === 'properties' && isJsonObject(member)) {
      for (const [property, inner] of Object.entries(member)) {
        collect(inner, [...path, property], isReachable, found)
      }
      // Values that look like schemas, and are none.
    } else if (!['default', 'const', 'enum', 'examples', ANNOTATION].includes(key)) {
      collect(member, path, false, found)
    }
  }
}
