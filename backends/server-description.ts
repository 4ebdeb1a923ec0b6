/** What an upstream server says of itself, and what it says unasked; the same in all revisions. */
import type { JsonObject, RawObject } from './wire/raw-json.js'

export type ListKind = 'tools' | 'prompts' | 'resources'

/** What the server said of itself when the session was opened. */
export interface ServerDescription {
  readonly protocolVersion: string
  readonly info: JsonObject
  readonly capabilities: JsonObject
  readonly instructions: string | undefined
}

export interface ClientListener {
  onListChanged(kind: ListKind): void
  /** The session is over, and not because we closed it. */
  onClose(reason: Error): void
  onNoise(what: string): void
  /** A resource that was subscribed to has changed, or a part of it. */
  onUpdated(uri: string): void
  /** A log message that belongs to no call. */
  onLog(params: RawObject): void
}

export const LIST_CHANGED: Readonly<Record<string, ListKind>> = {
  'notifications/tools/list_changed': 'tools',
  'notifications/prompts/list_changed': 'prompts',
  'notifications/resources/list_changed': 'resources',
}
