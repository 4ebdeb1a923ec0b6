/** One legacy downstream client: what its sealed id says of it, and what it has under way in this process. */
import { createHash } from 'node:crypto'
import type {
  BackendId,
  Caller,
  JsonObject,
  LogLevel,
  RawObject,
  RequestId,
  SubjectToken,
  TargetName,
  UpstreamPlace,
} from '../../backends/index.js'
import { Cancellation, isWantedLevel, notificationText } from '../../backends/index.js'
import type { Choice, VirtualServer } from '../../federation/index.js'
import type { Speaker } from '../telemetry/speaker.js'

/** What the id of a session holds; enough to serve the session in a process that never saw it. */
export interface SessionSeed {
  readonly uid: string
  /** Milliseconds since the epoch. */
  readonly createdAt: number
  readonly protocolVersion: string
  /** The target of `/mcp/<target>`, or '' for `/mcp`. */
  readonly server: string
  readonly principal: string
  readonly client: { readonly name: string; readonly version: string }
  /** As the client declared them. */
  readonly capabilities: JsonObject
  /** The capabilities that `initialize` promised: what was promised once is served, if only with empty lists. */
  readonly promised: readonly string[]
  /** Its sessions at `stateful` targets. */
  readonly places?: readonly (readonly [BackendId, UpstreamPlace])[]
  /** Where the process is reached that opened it, for what only one can serve; absent where it is reached by nobody. */
  readonly home?: string
  /** Of targets with variants, those that serve it. */
  readonly variants?: readonly (readonly [TargetName, string])[]
}

/** A stream of a session for what belongs to no request. It keeps what it is sent while nobody is connected. */
export interface SessionStream {
  readonly isConnected: boolean
  /** Sends one JSON-RPC message. */
  send(text: string): void
  /** Says when to come back, where the client understands that. */
  move?(): void
  end(): void
}

/** Most sessions have nothing to choose. */
const UNCHOSEN: Session['chosen'] = { at: -1, choice: new Map() }

export class Session {
  readonly seed: SessionSeed
  readonly caller: Caller & {
    logLevel: LogLevel | undefined
    subject: SubjectToken | undefined
    readonly places: Map<BackendId, UpstreamPlace>
  }
  /** Of targets with variants, those that serve it now; `at` says in which state of things they were chosen. */
  chosen: { readonly at: number; readonly choice: Choice }
  /** What a request names it by; whoever has it speaks for the client. */
  token: string | undefined
  /** How its requests are recorded, once one has been. */
  speaker: Speaker | undefined
  /** What it follows, and the server by which it does. */
  follows: Map<string, VirtualServer> | undefined
  readonly #onUnheard: ((session: Session, text: string) => void) | undefined
  /** In no order. A Map's tables would hold on to what is long over (see `Members`). */
  readonly #inFlight: { readonly id: RequestId; readonly cancellation: Cancellation }[] = []
  readonly #streams = new Set<SessionStream>()
  /** What is kept for the session elsewhere goes with it. */
  whenClosed: () => void = () => undefined
  #stopListening: (() => void) | undefined
  #closed = false
  #usedAt = performance.now()
  #shownId: string | undefined

  /** `onUnheard`: what belongs to no request, where it has no stream in this process. */
  constructor(seed: SessionSeed, onUnheard?: (session: Session, text: string) => void) {
    this.seed = seed
    this.#onUnheard = onUnheard
    this.chosen =
      seed.variants === undefined ? UNCHOSEN : { at: -1, choice: new Map(seed.variants) }
    const { uid, principal, capabilities } = seed
    this.caller = {
      era: 'legacy',
      key: uid,
      principal,
      capabilities,
      places: new Map(seed.places),
      logLevel: undefined,
      subject: undefined,
      notify: ({ method, params }) => {
        if (method === 'notifications/message' && !this.wants(params)) return
        this.notify(notificationText(method, params))
      },
    }
  }

  /** What stands for its id wherever people read: the id itself opens the session. */
  get shownId(): string {
    return (this.#shownId ??= createHash('sha256').update(this.seed.uid).digest('hex').slice(0, 16))
  }

  /** For how long nothing was asked, run or listened to, in milliseconds. */
  get idleMs(): number {
    return this.running > 0 || this.isHeard ? 0 : performance.now() - this.#usedAt
  }

  /** Requests under way. */
  get running(): number {
    return this.#inFlight.length
  }

  /** It has been let go of; the next request of the same id has another. */
  get isClosed(): boolean {
    return this.#closed
  }

  /** Whether somebody listens to what belongs to no request. */
  get isHeard(): boolean {
    return [...this.#streams].some((it) => it.isConnected)
  }

  touch(): void {
    this.#usedAt = performance.now()
  }

  /** Whether the client asked for a log message of this severity. */
  wants(message: RawObject): boolean {
    return isWantedLevel(message.value['level'], this.caller.logLevel)
  }

  /** Notes a request as running. Returns `undefined` where one of the same id is running already. */
  begin(id: RequestId): Cancellation | undefined {
    if (this.isRunning(id)) return undefined
    const cancellation = new Cancellation()
    this.#inFlight.push({ id, cancellation })
    return cancellation
  }

  isRunning(id: RequestId): boolean {
    return this.#indexOf(id) !== -1
  }

  finish(id: RequestId): void {
    this.touch()
    const index = this.#indexOf(id)
    if (index === -1) return
    const last = this.#inFlight.pop()
    if (last !== undefined && index < this.#inFlight.length) this.#inFlight[index] = last
  }

  /** Unknown and late cancellations are ignored (2025-11-25 basic/utilities/cancellation). */
  cancel(id: RequestId): void {
    this.#inFlight[this.#indexOf(id)]?.cancellation.cancel()
  }

  /**
   * Adds a stream, in place of those whose clients have gone. From the first on, the session listens through
   * `listen`, so that nothing is missed between two connections.
   */
  attach(stream: SessionStream, listen: () => () => void): void {
    if (this.#closed) return stream.end()
    for (const other of this.#streams) if (!other.isConnected) this.#streams.delete(other)
    this.#streams.add(stream)
    this.#stopListening ??= listen()
  }

  /** Sends a message that belongs to no request, on exactly one stream: the newest that somebody reads. */
  notify(text: string): void {
    const streams = [...this.#streams]
    const stream = streams.findLast((it) => it.isConnected) ?? streams.at(-1)
    if (stream === undefined) this.#onUnheard?.(this, text)
    else stream.send(text)
  }

  /** Ends what is open and cancels what is running. */
  close(): void {
    this.#closed = true
    for (const { cancellation } of this.#inFlight.slice()) cancellation.cancel()
    this.#endStreams()
    this.whenClosed()
  }

  /** Ends what is open; clients are to go on elsewhere. */
  moveStreams(): void {
    for (const stream of this.#streams) stream.move?.()
    this.#endStreams()
  }

  #indexOf(id: RequestId): number {
    const running = this.#inFlight
    for (let index = running.length - 1; index >= 0; index--) {
      if (running[index]?.id === id) return index
    }
    return -1
  }

  #endStreams(): void {
    this.#deafen()
    for (const stream of this.#streams) stream.end()
    this.#streams.clear()
  }

  #deafen(): void {
    this.#stopListening?.()
    this.#stopListening = undefined
  }
}
