/**
 * One request in neutral form. It goes down from the downstream edge through federation to a backend, knowing
 * neither eras nor transports: everything that belongs to a hop (ids, progress tokens, session ids, protocol
 * versions) was taken off at the one edge and is put on anew at the other (mcp-protocol.md §0).
 */
import type { Cancellation } from './cancellation.js'
import type { LogLevel } from './log-level.js'
import type { BackendId, Target } from './target.js'
import type { RequestId } from './wire/json-rpc.js'
import type { ParamHeader } from './wire/modern.js'
import type { JsonObject, RawObject } from './wire/raw-json.js'

/** How a peer speaks: with sessions, up to 2025-11-25, or without, from 2026-07-28 on. It belongs to a hop. */
export type Era = 'legacy' | 'modern'

/** The token that a caller showed, for servers that are called on the caller's account. */
export interface SubjectToken {
  readonly token: string
  /** Whom the issuer meant it for. */
  readonly audiences: readonly string[]
  /** In milliseconds since the epoch. */
  readonly expiresAt: number
}

/** A session at a server, as any process reaches it. */
export interface UpstreamPlace {
  readonly id: string
  readonly protocolVersion: string
}

/** Whom a call is made for: what an upstream session may depend on, and no more. */
export interface Caller {
  /**
   * A legacy caller can be asked things while its call runs; a modern one gets them as a result of its call, and
   * calls again with the answers.
   */
  readonly era: Era
  /** One upstream session for each key and backend. */
  readonly key: string
  /** Upstream sessions and processes are never shared between principals. */
  readonly principal: string
  /** What the caller can be asked for, as it declared it. */
  readonly capabilities: JsonObject
  /** The log messages that the caller asked for, the most talkative where it varies; undefined where it did not say. */
  readonly logLevel: LogLevel | undefined
  /** The newest that the caller showed, for what belongs to no call. */
  readonly subject: SubjectToken | undefined
  /** Its sessions at servers that are `stateful`, which other processes use as well. */
  readonly places?: Map<BackendId, UpstreamPlace>
  /** The way to the caller for what belongs to no call. */
  notify(notification: CallerNotification): void
}

/** Something that a backend says to a caller outside of any call. */
export interface CallerNotification {
  readonly method:
    | 'notifications/message'
    | 'notifications/resources/updated'
    | 'notifications/elicitation/complete'
  readonly params: RawObject
}

/** Who takes turns with whom where callers wait for the same: principals, and sessions of those nobody knows. */
export function partyOf({ principal, key }: Caller): string {
  return principal === ANONYMOUS ? key : principal
}

/** The one principal there is as long as nobody is asked who they are; also the gateway's own. */
export const ANONYMOUS = 'anonymous'

/** Something a backend says about a call while it runs. Hop-scoped members are gone from `params`. */
export interface CallNotification {
  readonly method:
    | 'notifications/progress'
    | 'notifications/message'
    | 'notifications/elicitation/complete'
    | 'notifications/tasks/status'
  readonly params: RawObject
}

/** Where the answer to a request of a server's belongs. All of it goes into the id that the client answers. */
export interface ReplyTo {
  readonly target: BackendId
  /** The upstream session in the process that holds it. */
  readonly sessionKey: string
  /** What any process can reach that session by; absent for a child process. */
  readonly upstreamSessionId: string | undefined
  /** The connection that it came over: ids of servers' requests are small numbers, and another may have asked the same. */
  readonly connection: string
  readonly id: RequestId
  /** The server's token for progress on its own request. */
  readonly progressToken: RequestId | undefined
}

/** A server asks the caller for something while it works on the call. */
export interface ServerRequest {
  readonly method: string
  readonly params: RawObject
  readonly replyTo: ReplyTo
}

/** What of a tool's definition matters to those who call it. */
export interface ToolTraits {
  /** Arguments that go into headers as well. */
  readonly paramHeaders: readonly ParamHeader[]
  /** Whether it can run as a task of 2025-11-25. */
  readonly taskSupport: 'forbidden' | 'optional' | 'required'
  /** What its calls may take, where that is not what others may. */
  readonly timeoutMs?: number | undefined
  /** Whether its calls may run twice: it says so, and is believed. */
  readonly mayRepeat?: boolean
}

/** Where a message belongs in a trace, in the words of W3C trace context; checked, as it goes into headers. */
export interface TraceContext {
  readonly traceparent: string
  readonly tracestate: string | undefined
  readonly baggage: string | undefined
}

/** What hears of a call that a server has. */
export interface Asking {
  /** What the server is told of the trace. */
  readonly trace: TraceContext | undefined
  answered(result: RawObject): void
  failed(error: unknown): void
}

/** What hears which servers have a call, and for how long. */
export interface CallWatcher {
  /** `protocolVersion` is what the server spoke last; '' where it has not been reached yet. */
  asks(
    target: Target,
    protocolVersion: string,
    request: { readonly method: string; readonly params: RawObject },
  ): Asking
}

/** Whoever makes one gives all members, in one order: with several forms of them, what every call passes looks members up slowly. */
export interface Call {
  readonly method: string
  readonly params: RawObject
  readonly caller: Caller
  /** For `tools/call`. */
  readonly tool?: ToolTraits | undefined
  /** Those of the caller's request; a server gets what its target names of them, and nothing else. */
  readonly headers?: Readonly<Record<string, string | readonly string[] | undefined>>
  /** Hears where the call goes. */
  readonly watcher?: CallWatcher | undefined
  /** Of this hop: what the server is told of the trace. */
  readonly trace?: TraceContext | undefined
  /** What the caller showed with this very call. */
  readonly subject?: SubjectToken | undefined
  /** The log messages that this call is to bring; undefined for none, or for those the server thinks fit. */
  readonly logLevel: LogLevel | undefined
  /** Cancelled when the caller withdraws the request. */
  readonly cancellation: Cancellation
  /** Whether the caller wants to hear of progress. */
  readonly wantsProgress: boolean
  /** The way back while the call runs. A call that made a task hears of the task after it has settled, too. */
  readonly notify: (notification: CallNotification) => void
  /** Resolves when the caller can take more of what it is told; `undefined` where it can now. */
  readonly room: () => Promise<void> | undefined
  /**
   * Passes a server's request on to the caller. Returns false where the caller cannot be reached any more. A modern
   * caller cannot be asked so.
   */
  readonly ask: ((request: ServerRequest) => boolean) | undefined
  /** The server withdraws a request. */
  readonly withdraw: (id: RequestId) => void
}
