/** One way to speak to an upstream server, whatever its era: what a backend needs of either codec. */
import type { Era } from './call.js'
import type { Account } from './http-door.js'
import type { LogLevel } from './log-level.js'
import type { RequestOptions } from './pending-requests.js'
import type { ServerDescription } from './server-description.js'
import type { RequestId } from './wire/json-rpc.js'
import type { JsonObject, RawObject } from './wire/raw-json.js'

/** How an upstream session introduces itself, and where answers to what its server asks belong. */
export interface Introduction {
  readonly clientInfo: JsonObject
  readonly capabilities: JsonObject
  readonly sessionKey: string
  /** On whose account it is kept. */
  readonly account: Account
}

export interface UpstreamClient {
  readonly era: Era
  readonly server: ServerDescription
  /** The id that the server gave this session, over HTTP. */
  readonly sessionId: string | undefined
  /** Tells this connection from all others, those of other processes too. */
  readonly connection: string
  /**
   * Sends a request and waits for its result. `timeoutMs` 0 waits for ever; each progress notification starts
   * the time anew.
   * @throws JsonRpcError as the server gave it, or one of the errors of `errors.ts`
   */
  request(options: RequestOptions, timeoutMs: number): Promise<RawObject>
  /** Hears what the server says unasked, from when it resolves on if not before. Never rejects. */
  listen(): Promise<void>
  /** What the server says unasked comes over a new connection from now on, where there is one for that alone. */
  listenAnew?(): void
  /** Has the server tell of changes of a resource. @throws as `request` */
  subscribe(uri: string, timeoutMs: number): Promise<void>
  /** @throws as `request` */
  unsubscribe(uri: string, timeoutMs: number): Promise<void>
  /** Has the server send log messages of this level and above. @throws as `request` */
  setLogLevel(level: LogLevel, timeoutMs: number): Promise<void>
  /** Shows whether the server is there. @throws as `request` */
  ping(timeoutMs: number): Promise<void>
  /** Sends what has no answer: what a caller says to the server. */
  reply(text: string): void
  /** Stops the patience shown while a caller was thinking. */
  answered(id: RequestId): void
  /** Takes nothing new, waits for what is under way, and closes. */
  finish(leavesSession?: boolean): Promise<void>
  /** `leavesSession` leaves the session at the server, for other processes. */
  close(leavesSession?: boolean): Promise<void>
}
