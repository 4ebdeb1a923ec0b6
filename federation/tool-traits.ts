/** What the definition of a tool says to those who call it, and how the definition differs between eras. */
import type { JsonObject, RawObject, Target, ToolTraits } from '../backends/index.js'
import {
  BadParamHeaderError,
  isJsonObject,
  paramHeadersOf,
  RawJson,
  rawMembers,
  withMembers,
} from '../backends/index.js'
import { globPattern, matches } from './pattern.js'

const NO_TRAITS: ToolTraits = { paramHeaders: [], taskSupport: 'forbidden' }

const known = new WeakMap<RawObject, ToolTraits>()

/** What a definition of this target's says, and the target's configuration of it; looked at once. */
export function traitsOf(tool: RawObject, target: Target): ToolTraits {
  let traits = known.get(tool)
  if (traits === undefined) {
    traits = readTraits(tool, target)
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

function readTraits(tool: RawObject, target: Target): ToolTraits {
  // Where headers do not matter, what is said of them wrongly does not either.
  const paramHeaders = faultOf(tool) === undefined ? paramHeadersOf(tool.value['inputSchema']) : []
  const { execution } = tool.value
  const asked = isJsonObject(execution) ? execution['taskSupport'] : undefined
  const taskSupport = asked === 'optional' || asked === 'required' ? asked : 'forbidden'
  const timeoutMs = timeoutOf(tool, target)
  const mayRepeat = target.retries.annotated && saysItMayRepeat(tool)
  const isPlain = paramHeaders.length === 0 && taskSupport === 'forbidden' && !mayRepeat
  if (isPlain && timeoutMs === undefined) return NO_TRAITS
  return { paramHeaders, taskSupport, timeoutMs, mayRepeat }
}

function saysItMayRepeat({ value: { annotations } }: RawObject): boolean {
  if (!isJsonObject(annotations)) return false
  return annotations['readOnlyHint'] === true || annotations['idempotentHint'] === true
}

function timeoutOf({ value: { name } }: RawObject, { timeouts }: Target): number | undefined {
  if (typeof name !== 'string') return undefined
  const fitting = Object.entries(timeouts.toolsMs).find(([glob]) =>
    matches(globPattern(glob), name),
  )
  return fitting?.[1]
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
