/** What the definition of a tool says to those who call it, and how the definition differs between eras. */
import type { JsonObject, RawObject, ToolTraits } from '../backends/index.js'
import {
  BadParamHeaderError,
  isJsonObject,
  paramHeadersOf,
  RawJson,
  rawMembers,
  withMembers,
} from '../backends/index.js'

const NO_TRAITS: ToolTraits = { paramHeaders: [], taskSupport: 'forbidden' }

const known = new WeakMap<RawObject, ToolTraits>()

/** What a definition says; looked at once. */
export function traitsOf(tool: RawObject): ToolTraits {
  let traits = known.get(tool)
  if (traits === undefined) {
    traits = readTraits(tool)
    known.set(tool, traits)
  }
  return traits
}

/** Why a tool must not be taken from a server over HTTP (2026-07-28 basic/transports/streamable-http). */
export function faultOf({ value }: RawObject): string | undefined {
  try {
    paramHeadersOf(value['inputSchema'])
    return undefined
  } catch (error) {
    if (error instanceof BadParamHeaderError) return error.message
    throw error
  }
}

function readTraits(tool: RawObject): ToolTraits {
  // Where headers do not matter, what is said of them wrongly does not either.
  const paramHeaders = faultOf(tool) === undefined ? paramHeadersOf(tool.value['inputSchema']) : []
  const { execution } = tool.value
  const asked = isJsonObject(execution) ? execution['taskSupport'] : undefined
  const taskSupport = asked === 'optional' || asked === 'required' ? asked : 'forbidden'
  if (paramHeaders.length === 0 && taskSupport === 'forbidden') return NO_TRAITS
  return { paramHeaders, taskSupport }
}

/**
 * A tool of a server without tasks. What the merged server can do with tasks holds for all its tools, so those of
 * others have to say that they cannot (2025-11-25 basic/utilities/tasks, tool-level negotiation).
 */
export function withoutTasks(tool: RawObject): RawObject {
  const { execution } = tool.value
  if (!isJsonObject(execution) || execution['taskSupport'] === undefined) return tool
  const raw = RawJson.fromText<JsonObject>(rawMembers(tool.text).get('execution') ?? '{}')
  return withMembers(tool, { execution: withMembers(raw, { taskSupport: '"forbidden"' }).text })
}

/** Clients up to 2025-11-25 take objects alone for structured output, and may drop the whole list over another. */
export function forLegacy(tool: RawObject): RawObject {
  const { outputSchema } = tool.value
  if (outputSchema === undefined) return tool
  const isObject = isJsonObject(outputSchema) && outputSchema['type'] === 'object'
  return isObject ? tool : withMembers(tool, { outputSchema: undefined })
}

/** 2026-07-28 has no `execution`. */
export function forModern(tool: RawObject): RawObject {
  return tool.value['execution'] === undefined ? tool : withMembers(tool, { execution: undefined })
}
