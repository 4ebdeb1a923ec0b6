/** What a virtual server says of itself: the sum of what its backends can, and whose instructions are whose. */
import type { Era, JsonObject, JsonValue, ServerDescription, Target } from '../backends/index.js'
import { isJsonObject, TASKS_EXTENSION } from '../backends/index.js'

/** One backend, or `undefined` where it has not been heard yet. */
export interface Described {
  readonly target: Target
  readonly server: ServerDescription | undefined
}

/** The whole goes into every client's context; a backend's share is bounded too. */
const MAX_INSTRUCTIONS_CHARS = 32_768
const MAX_SECTION_CHARS = 4_096

/**
 * Capabilities for `initialize`. A backend not heard yet may have any of them, and capabilities cannot be added
 * later, so they are promised; its lists are empty until it comes. Lists change whenever a backend comes or goes,
 * so `listChanged` is ours to promise. Only what this gateway relays is promised at all.
 */
export function mergeCapabilities(backends: readonly Described[], era: Era): JsonObject {
  const some = (capability: string): boolean =>
    mayOffer(
      backends.map((it) => it.server),
      capability,
    )
  const merged: JsonObject = {}
  if (some('tools')) merged['tools'] = { listChanged: true }
  if (some('prompts')) merged['prompts'] = { listChanged: true }
  if (some('resources')) {
    const subscribe = backends.some(({ server }) => maySubscribe(server))
    merged['resources'] = { listChanged: true, ...(subscribe ? { subscribe } : {}) }
  }
  if (some('logging')) merged['logging'] = {}
  if (some('completions')) merged['completions'] = {}
  const tasks = era === 'legacy' ? mergeTasks(backends) : undefined
  if (tasks !== undefined) merged['tasks'] = tasks
  const ui = uiExtension(backends)
  const hasTasks = era === 'modern' && backends.some(({ server }) => mayExtendTasks(server))
  if (ui !== undefined || hasTasks) {
    merged['extensions'] = {
      ...(ui === undefined ? {} : { [UI_EXTENSION]: ui }),
      ...(hasTasks ? { [TASKS_EXTENSION]: {} } : {}),
    }
  }
  return merged
}

function maySubscribe(server: ServerDescription | undefined): boolean {
  if (server === undefined) return true
  const { resources } = server.capabilities
  return isJsonObject(resources) && resources['subscribe'] === true
}

/** Whether one of these has a capability or, not having been heard yet, may have it; so may those still to come. */
export function mayOffer(
  servers: readonly (ServerDescription | undefined)[],
  capability: string,
): boolean {
  if (servers.length === 0) return true
  return servers.some((it) => it === undefined || it.capabilities[capability] !== undefined)
}

/** Whether calls of this server's tools can run as tasks of 2025-11-25. */
export function runsTasks(server: ServerDescription): boolean {
  const requests = member(server.capabilities['tasks'], 'requests')
  return member(member(requests, 'tools'), 'call') !== undefined
}

/** No `list`: as long as callers may be anybody, it would show the tasks of all (basic/utilities/tasks). */
function mergeTasks(backends: readonly Described[]): JsonObject | undefined {
  const servers = backends.flatMap(({ server }) => server ?? [])
  const maybe = servers.length < backends.length
  if (!maybe && !servers.some(runsTasks)) return undefined
  const cancel = maybe || servers.some((it) => member(it.capabilities['tasks'], 'cancel'))
  return { ...(cancel ? { cancel: {} } : {}), requests: { tools: { call: {} } } }
}

function mayExtendTasks(server: ServerDescription | undefined): boolean {
  return server === undefined || extendsTasks(server)
}

/** Whether a server has tasks for clients of 2026-07-28: those of its extension, or older ones in its dialect. */
export function extendsTasks(server: ServerDescription): boolean {
  const { extensions } = server.capabilities
  return member(extensions, TASKS_EXTENSION) !== undefined || runsTasks(server)
}

function member(value: JsonValue | undefined, key: string): JsonObject | undefined {
  const found = isJsonObject(value) ? value[key] : undefined
  return isJsonObject(found) ? found : undefined
}

/** The gateway's own text, then a section for each backend that has one, under the prefix of its tools. */
export function mergeInstructions(
  own: string,
  backends: readonly Described[],
  labelled: boolean,
): string | undefined {
  const sections = own === '' ? [] : [own]
  for (const { target, server } of backends) {
    const text = server?.instructions?.trim()
    if (text === undefined || text === '') continue
    const bounded = text.length > MAX_SECTION_CHARS ? `${text.slice(0, MAX_SECTION_CHARS)}…` : text
    sections.push(
      labelled ? `## ${target.prefix === '' ? target.name : target.prefix}\n\n${bounded}` : bounded,
    )
  }
  const whole = sections.join('\n\n').slice(0, MAX_INSTRUCTIONS_CHARS)
  return whole === '' ? undefined : whole
}

/** MCP Apps need nothing of us but that `ui://` resources resolve, so the settings of all backends are united. */
const UI_EXTENSION = 'io.modelcontextprotocol/ui'

function uiExtension(backends: readonly Described[]): JsonObject | undefined {
  let united: JsonObject | undefined
  for (const { server } of backends) {
    const extensions = server?.capabilities['extensions']
    const settings = isJsonObject(extensions) ? extensions[UI_EXTENSION] : undefined
    if (isJsonObject(settings)) united = { ...united, ...settings }
  }
  return united
}
