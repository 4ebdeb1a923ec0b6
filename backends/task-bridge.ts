/**
 * Tasks of 2025-11-25 for callers that know those of the extension of 2026-07-28 (mcp-protocol.md §4.2): the same
 * tasks in another dialect. A caller that knows no tasks gets the result of a tool that runs in no other way once
 * it is there.
 */
import type { Call } from './call.js'
import { afterRunning } from './errors.js'
import { extendsTasks } from './server-requests.js'
import { RELATED_TASK } from './task-calls.js'
import type { UpstreamClient } from './upstream-client.js'
import { errorText, JsonRpcError } from './wire/json-rpc.js'
import type { JsonObject, RawObject } from './wire/raw-json.js'
import {
  EMPTY_OBJECT,
  isJsonObject,
  joinMembers,
  RawJson,
  rawMembers,
  withMembers,
  withMeta,
} from './wire/raw-json.js'

const BRIDGED: ReadonlySet<string> = new Set(['tasks/get', 'tasks/update', 'tasks/cancel'])

/** Whether a modern caller's call to an older server is about a task. */
export function isBridged({ method, tool }: Call): boolean {
  return BRIDGED.has(method) || (method === 'tools/call' && tool?.taskSupport === 'required')
}

/** @throws as `UpstreamClient.request` */
export async function bridgeTask(
  call: Call,
  client: UpstreamClient,
  timeoutMs: number,
): Promise<RawObject> {
  const { taskId = null } = call.params.value
  const about = RawJson.fromValue<JsonObject>({ taskId })
  switch (call.method) {
    case 'tasks/get':
      return describe(await client.request({ ...call, params: about }, timeoutMs), call, client)
    case 'tasks/cancel':
      await cancel({ ...call, params: about }, client, timeoutMs)
      return EMPTY_OBJECT
    case 'tasks/update':
      // What such a server asks, it asks on a stream that nobody holds open for it; there is nothing to answer.
      return EMPTY_OBJECT
    default:
      return make(call, client, timeoutMs)
  }
}

/** Here a task that has ended is no error; one that is not there is. */
async function cancel(call: Call, client: UpstreamClient, timeoutMs: number): Promise<void> {
  try {
    await client.request(call, timeoutMs)
  } catch (error) {
    if (!(error instanceof JsonRpcError)) throw error
    await client.request({ ...call, method: 'tasks/get' }, timeoutMs)
  }
}

async function make(call: Call, client: UpstreamClient, timeoutMs: number): Promise<RawObject> {
  const params = withMembers(call.params, { task: '{}' })
  const made = await client.request({ ...call, params }, timeoutMs)
  const { task } = made.value
  if (!isJsonObject(task)) return made
  if (extendsTasks(call.caller)) {
    const raw = RawJson.fromText<JsonObject>(rawMembers(made.text).get('task') ?? '{}')
    return withMembers(inDialect(raw), { resultType: '"task"' })
  }
  const about = RawJson.fromValue<JsonObject>({ taskId: task['taskId'] ?? null })
  try {
    return await client.request({ ...call, method: 'tasks/result', params: about }, 0)
  } catch (error) {
    throw afterRunning(error)
  }
}

/** A task with what it came to, where it has come to something. */
async function describe(task: RawObject, call: Call, client: UpstreamClient): Promise<RawObject> {
  const { status, taskId = null } = task.value
  const detailed = inDialect(task)
  if (status === 'input_required') {
    const message = 'the server waits for input that it cannot be given in this revision'
    return failed(detailed, new JsonRpcError(-32603, message))
  }
  if (status !== 'completed' && status !== 'failed') return detailed
  const params = RawJson.fromValue<JsonObject>({ taskId })
  try {
    const result = await client.request({ ...call, method: 'tasks/result', params }, 0)
    // A result that is an error is a result all the same (ext-tasks).
    const plain = withMeta(result, { [RELATED_TASK]: undefined })
    return withMembers(detailed, { status: '"completed"', result: plain.text })
  } catch (error) {
    if (!(error instanceof JsonRpcError)) throw error
    return failed(detailed, error)
  }
}

function failed(task: RawObject, error: JsonRpcError): RawObject {
  const text = rawMembers(errorText(undefined, error)).get('error')
  return withMembers(task, { status: '"failed"', error: text })
}

const RENAMED: Readonly<Record<string, string>> = { ttl: 'ttlMs', pollInterval: 'pollIntervalMs' }

function inDialect(task: RawObject): RawObject {
  const members = [...rawMembers(task.text)].map(
    ([key, text]) => [RENAMED[key] ?? key, text] as const,
  )
  const renamed = RawJson.fromText<JsonObject>(joinMembers(members))
  return renamed.value['ttlMs'] === undefined ? withMembers(renamed, { ttlMs: 'null' }) : renamed
}
