/** What a server of the 2025 era says without being asked, and whom it concerns: a call, a caller or the catalog. */
import type { PendingRequests, Pending } from './pending-requests.js'
import type { RunningTasks } from './running-tasks.js'
import type { ClientListener } from './server-description.js'
import { LIST_CHANGED } from './server-description.js'
import type { Target } from './target.js'
import { relatedTask } from './task-calls.js'
import type { UrlElicitations } from './url-elicitations.js'
import type { NotificationMessage, RequestId } from './wire/json-rpc.js'
import type { RawObject } from './wire/raw-json.js'
import { withMembers } from './wire/raw-json.js'

/** What one upstream session knows of those it works for. */
interface SessionState {
  readonly target: Target
  readonly listener: ClientListener
  readonly pending: PendingRequests
  readonly tasks: RunningTasks
  readonly elicitations: UrlElicitations
}

export class ServerNotifications {
  readonly #session: SessionState

  constructor(session: SessionState) {
    this.#session = session
  }

  /** The call that a message on the shared channel is about: the one that waits for its task, or the only one. */
  callAbout(params: RawObject): Pending | undefined {
    const taskId = relatedTask(params)
    if (taskId === undefined) return this.#session.pending.onlyCall()
    for (const pending of this.#session.pending.values()) {
      const { method, params: asked } = pending.call
      if (method === 'tasks/result' && asked.value['taskId'] === taskId) return pending
    }
    return undefined
  }

  /** `asker` is the request on whose answer stream it came; undefined on the shared channel. */
  hear({ method, params }: NotificationMessage, asker: Pending | undefined): void {
    const kind = LIST_CHANGED[method]
    if (kind !== undefined) return this.#session.listener.onListChanged(kind)
    if (method === 'notifications/progress') return this.#progress(params)
    if (method === 'notifications/elicitation/complete') return this.#completed(params)
    if (method === 'notifications/tasks/status') {
      return this.#session.tasks.heard(params)?.({ method, params })
    }
    if (method === 'notifications/message') return this.#log(params, asker)
    if (method === 'notifications/resources/updated') {
      const { uri } = params.value
      if (typeof uri === 'string') this.#session.listener.onUpdated(uri)
      return
    }
    if (method === 'notifications/cancelled') this.#withdraw(params.value['requestId'])
  }

  #log(params: RawObject, asker: Pending | undefined): void {
    const { logger } = params.value
    const { name } = this.#session.target
    // Clients see one server: whose message it is, the logger says.
    const attributed = withMembers(params, {
      logger: JSON.stringify(typeof logger === 'string' ? `${name}/${logger}` : name),
    })
    const pending = asker ?? this.callAbout(params)
    if (pending?.call.notify === undefined) return this.#session.listener.onLog(attributed)
    pending.call.notify({ method: 'notifications/message', params: attributed })
  }

  #withdraw(id: unknown): void {
    for (const pending of this.#session.pending.values()) {
      const wasAsked = pending.deadline.answered(id as RequestId)
      if (wasAsked) pending.call.withdraw?.(id as RequestId)
    }
  }

  #progress(params: RawObject): void {
    const { progressToken, progress } = params.value
    const pending = this.#session.pending.get(progressToken)
    const wanted = pending?.call.wantsProgress === true ? pending : undefined
    // The token of a call that made a task lives as long as the task.
    const heard = wanted ?? this.#session.tasks.ofToken(progressToken as RequestId)
    const notify =
      wanted?.call.notify ?? this.#session.tasks.ofToken(progressToken as RequestId)?.notify
    // Only live tokens that we gave, and only values that grow, go on (mcp-protocol.md §2.5).
    if (heard === undefined || notify === undefined) return
    if (typeof progress !== 'number' || progress <= heard.lastProgress) return
    heard.lastProgress = progress
    if (this.#session.target.timeouts.resetOnProgress) wanted?.deadline.restart()
    const stripped = withMembers(params, { progressToken: undefined })
    notify({ method: 'notifications/progress', params: stripped })
  }

  /** On the stream of a call of that caller's where one runs, else outside of calls. */
  #completed(params: RawObject): void {
    const completed = this.#session.elicitations.completed(params)
    if (completed === undefined) return
    const { caller, notification } = completed
    const running = [...this.#session.pending.values()].find(
      ({ call }) => call.caller?.key === caller.key,
    )
    if (running?.call.notify === undefined) caller.notify(notification)
    else running.call.notify(notification)
  }
}
