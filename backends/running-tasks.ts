/**
 * Tasks that calls of one upstream session have made and that still run, so that what the server says of them, their
 * progress and their state, finds the caller. They last no longer than the session: the task itself may, and is
 * asked about by its id.
 */
import { LRUCache } from 'lru-cache'
import type { Call } from './call.js'
import type { RequestId } from './wire/json-rpc.js'
import type { RawObject } from './wire/raw-json.js'

/** Tasks followed at once; beyond it, the one heard of the longest ago is no longer followed. */
const MAX_TASKS = 1_000
const TERMINAL: ReadonlySet<unknown> = new Set(['completed', 'failed', 'cancelled'])

type Notify = Call['notify']

interface RunningTask {
  readonly taskId: string
  /** The id of the call that made it is the token of its progress. */
  readonly token: RequestId
  readonly notify: Notify
  lastProgress: number
}

export class RunningTasks {
  readonly #byToken = new LRUCache<RequestId, RunningTask>({
    max: MAX_TASKS,
    dispose: ({ taskId }) => this.#tokens.delete(taskId),
  })
  readonly #tokens = new Map<string, RequestId>()
  /** Calls given up before it was known which task they made. */
  readonly #forsaken = new LRUCache<RequestId, true>({ max: MAX_TASKS })

  /** A call has made a task. `lastProgress` is what was heard of it so far. */
  begin(token: RequestId, taskId: string, notify: Notify, lastProgress: number): void {
    this.#byToken.set(token, { token, taskId, notify, lastProgress })
    this.#tokens.set(taskId, token)
  }

  /** Nobody waits for the answer to this call any more; the task that it makes is not wanted. */
  forsake(token: RequestId): void {
    this.#forsaken.set(token, true)
  }

  /** Whether the answer was to a call given up; asked once. */
  wasForsaken(token: RequestId): boolean {
    return this.#forsaken.delete(token)
  }

  /** The task whose progress has this token. */
  ofToken(token: RequestId): RunningTask | undefined {
    return this.#byToken.get(token)
  }

  /** Hears a task's state, and forgets a task that has ended. Returns the way to its caller. */
  heard({ value: { taskId, status } }: RawObject): Notify | undefined {
    const token = typeof taskId === 'string' ? this.#tokens.get(taskId) : undefined
    const task = token === undefined ? undefined : this.#byToken.get(token)
    if (task !== undefined && TERMINAL.has(status)) this.#byToken.delete(task.token)
    return task?.notify
  }

  /** The result of the task has been handed out. */
  settled(taskId: unknown): void {
    const token = this.#tokens.get(taskId as string)
    if (token !== undefined) this.#byToken.delete(token)
  }
}
