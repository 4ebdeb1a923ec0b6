/**
 * Tasks of 2025-11-25 (basic/utilities/tasks) on their way through. A task's id is a server's own; callers know it
 * under an id that says where the task lives and whose it is. What is said about a task is changed here on its
 * way down and up; calls that are about no task never come here.
 */
import type { Call, CallNotification, ServerRequest } from './call.js'
import { extendsTasks } from './server-requests.js'
import type { BackendId } from './target.js'
import type { JsonObject, RawObject } from './wire/raw-json.js'
import { isJsonObject, RawJson, rawMembers, withMembers, withMeta } from './wire/raw-json.js'

/** The key of `_meta` that names the task a message is about. */
export const RELATED_TASK = 'io.modelcontextprotocol/related-task'

/** Ids of tasks as callers know them, made so that any process of the gateway can read them. */
export interface TaskIds {
  /** The same each time, as callers compare them. */
  seal(target: BackendId, taskId: string, principal: string): string
  /** `undefined` for an id that is not ours, or belongs to another principal. */
  open(taskId: string, principal: string): TaskPlace | undefined
}

export interface TaskPlace {
  readonly target: BackendId
  /** As the server knows it. */
  readonly taskId: string
}

/** A call about a task in the server's terms, and its result in the caller's. */
export interface TaskCall {
  readonly call: Call
  readonly exposed: (result: RawObject) => RawObject
}

type MapId = (taskId: string) => string

/** Whether a call makes a task, or asks about one. */
export function isTaskCall({ method, params }: Pick<Call, 'method' | 'params'>): boolean {
  return method.startsWith('tasks/') || params.value['task'] !== undefined
}

/** Whether a task may come of a call, or it asks about one. */
export function mayConcernTask(call: Call): boolean {
  return isTaskCall(call) || (call.method === 'tools/call' && extendsTasks(call.caller))
}

export function translateTaskCall(call: Call, target: BackendId, ids: TaskIds): TaskCall {
  const { ask, caller } = call
  const { principal } = caller
  const given = call.params.value['taskId']
  const asked = typeof given === 'string' ? ids.open(given, principal)?.taskId : undefined
  // What was sealed under an older key goes on under the name by which the caller knows it.
  const seal: MapId = (taskId) =>
    taskId === asked && typeof given === 'string' ? given : ids.seal(target, taskId, principal)
  const open: MapId = (taskId) => ids.open(taskId, principal)?.taskId ?? taskId
  return {
    call: {
      ...call,
      params: mapRelatedTask(mapTaskId(call.params, open), open),
      notify: (notification: CallNotification) =>
        call.notify({ ...notification, params: exposedNotification(notification, seal) }),
      ask:
        ask &&
        ((request: ServerRequest) =>
          ask({ ...request, params: mapRelatedTask(request.params, seal) })),
    },
    exposed: (result) =>
      mapRelatedTask(
        mapTaskId(call.method === 'tools/call' ? mapMade(result, seal) : result, seal),
        seal,
      ),
  }
}

/** An answer of the caller's to what a server asked of it for a task, in the server's terms. */
export function translateTaskAnswer(result: RawObject, principal: string, ids: TaskIds): RawObject {
  return mapRelatedTask(result, (taskId) => ids.open(taskId, principal)?.taskId ?? taskId)
}

/** The id of the task that a `tools/call` has made, as its result says. */
export function madeTask({ value: { task } }: RawObject): string | undefined {
  const taskId = isJsonObject(task) ? task['taskId'] : undefined
  return typeof taskId === 'string' ? taskId : undefined
}

/** The task that a message is about, as its `_meta` says. */
export function relatedTask({ value: { _meta: meta } }: RawObject): string | undefined {
  const related = isJsonObject(meta) ? meta[RELATED_TASK] : undefined
  const taskId = isJsonObject(related) ? related['taskId'] : undefined
  return typeof taskId === 'string' ? taskId : undefined
}

function exposedNotification({ method, params }: CallNotification, map: MapId): RawObject {
  return mapRelatedTask(
    method === 'notifications/tasks/status' ? mapTaskId(params, map) : params,
    map,
  )
}

function mapTaskId(object: RawObject, map: MapId): RawObject {
  const { taskId } = object.value
  return typeof taskId === 'string'
    ? withMembers(object, { taskId: JSON.stringify(map(taskId)) })
    : object
}

function mapMade(result: RawObject, map: MapId): RawObject {
  const task = madeTask(result) === undefined ? undefined : rawMembers(result.text).get('task')
  if (task === undefined) return result
  return withMembers(result, { task: mapTaskId(RawJson.fromText<JsonObject>(task), map).text })
}

function mapRelatedTask(object: RawObject, map: MapId): RawObject {
  if (relatedTask(object) === undefined) return object
  const meta = rawMembers(rawMembers(object.text).get('_meta') ?? '{}').get(RELATED_TASK) ?? '{}'
  const related = mapTaskId(RawJson.fromText<JsonObject>(meta), map)
  return withMeta(object, { [RELATED_TASK]: related.text })
}
