/** How messages travel to one upstream server; one interface over Streamable HTTP and stdio. */
import type { SubjectToken } from './call.js'
import type { Message } from './wire/json-rpc.js'

/** What comes of one message we sent, or of listening. After `onEnd` or `onError` nothing more comes. */
export interface Exchange {
  /** The server has begun to answer with a stream: HTTP only. */
  onOpen?(): void
  /** The server has named the address to post to: HTTP+SSE only. */
  onEndpoint?(address: string): void
  /** An event with an id to come back with, or with a time to wait before: HTTP only. */
  onEvent?(id: string | undefined, retryMs: number | undefined): void
  /** A message that came in answer: HTTP only. A stdio server answers on the channel. */
  onMessage(message: Message): void
  /** Where no more can be taken now, when it can; HTTP only, where reading one answer holds up no other. */
  room?(): Promise<void> | undefined
  /** The server will say no more in answer: HTTP only. */
  onEnd(): void
  onError(error: Error): void
}

/** A message that was sent, of which something may still come. */
export interface Sent {
  /** Stops listening, silently. May be called more than once. */
  stop(): void
}

/** Where nothing more is to be expected. */
export const SETTLED: Sent = { stop: () => undefined }

/** What comes without belonging to a message we sent. */
export interface Channel {
  onMessage(message: Message): void
  /** The connection is gone and does not come back. */
  onClose(reason: Error): void
  /** For a while nothing could be heard: what was said then is lost. */
  onGap(): void
  /** Something that is not the protocol, and is passed over. */
  onNoise(what: string): void
}

/** What goes with one message over HTTP. */
export interface Extras {
  // Not optional, or headers alone could be taken for it.
  readonly headers: Readonly<Record<string, string>> | undefined
  /** The token of the caller that it is sent for. */
  readonly subject?: SubjectToken | undefined
  /** Who takes turns with others for it; absent for what is the gateway's own. */
  readonly party?: string | undefined
}

export const NO_EXTRAS: Extras = { headers: undefined }

export interface Transport {
  /**
   * Sends one message, and over HTTP what belongs to it.
   * Never throws: failures reach `exchange.onError`.
   */
  send(text: string, exchange: Exchange, extras?: Extras): Sent
  /** Sends a message that has no answer, on the session's account. Resolves when the server has taken it, or cannot; never rejects. */
  notify(text: string): Promise<void>
  /** Whether one channel carries the messages of all requests, so that giving one up has to be said. */
  readonly isShared: boolean
  /** What another process can reach this session by: the session id of HTTP. */
  readonly sessionId: string | undefined
  /** Called once the session is open, with the version both sides agreed on. */
  opened(protocolVersion: string): void
  /**
   * Starts watching for what comes unasked (the GET stream of HTTP; stdio always hears it). Resolves when nothing
   * can be missed any more, or when it is clear that the server has no such stream; never rejects.
   */
  listen(): Promise<void>
  /** Ends the session at the server, unless it is left to others, and releases everything. Never rejects. */
  close(leavesSession?: boolean): Promise<void>
}

/** A message that has no answer is given up where the server has not taken it by then. */
const NOTIFY_MS = 30_000

/** Sends one through `post`. Resolves when it was taken, or will not be. */
export function notifying(
  post: (exchange: Pick<Exchange, 'onEnd' | 'onError'>) => Sent,
): Promise<void> {
  return new Promise((resolve) => {
    const settle = (): void => {
      clearTimeout(deadline)
      resolve()
    }
    let sent = SETTLED
    const deadline = setTimeout(() => {
      sent.stop()
      resolve()
    }, NOTIFY_MS).unref()
    sent = post({ onEnd: settle, onError: settle })
  })
}

export type OpenTransport = (channel: Channel) => Promise<Transport>
