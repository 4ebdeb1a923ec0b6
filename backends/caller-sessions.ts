/**
 * The upstream sessions of callers with one backend: opened when first needed, shared where the target allows it, and
 * brought to the state they had (log level, subscriptions) when they had to be opened anew.
 */
import { BackOff } from './back-off.js'
import type { Caller, Era, SubjectToken, UpstreamPlace } from './call.js'
import { ANONYMOUS } from './call.js'
import type { Account } from './http-door.js'
import type { Followed } from './inheritance.js'
import { LOG_LEVELS } from './log-level.js'
import type { LogLevel } from './log-level.js'
import { relayedCapabilities } from './server-requests.js'
import type { Target } from './target.js'
import { callsForOthers, idOf } from './target.js'
import type { UpstreamClient } from './upstream-client.js'
import type { JsonObject, RawObject } from './wire/raw-json.js'
import { UpstreamSessionLostError } from './errors.js'
import { ErrorCode, JsonRpcError, notificationText } from './wire/json-rpc.js'
import { isJsonObject } from './wire/raw-json.js'

/** The key of the backend's own session. Callers' keys are never empty. */
export const MONITOR = ''

/** Resources that one caller may follow here. */
const MAX_FOLLOWED = 1_000
const TOO_MANY = new JsonRpcError(
  ErrorCode.InvalidRequest,
  `at most ${MAX_FOLLOWED} resources of a server can be followed`,
)

/** What a session says that belongs to no call. */
export interface SessionListener {
  onClose(reason: Error): void
  onUpdated(uri: string): void
  onLog(params: RawObject): void
}

export interface SessionOpener {
  /** Opens a session of its own for `key`, or goes on in the one at `place`. */
  open(
    key: string,
    capabilities: JsonObject,
    listener: SessionListener,
    account: Account,
    place: UpstreamPlace | undefined,
  ): Promise<UpstreamClient>
  /** The backend's own session, once it is there. */
  monitor(): Promise<UpstreamClient>
  /** The same where it is there. */
  monitorNow(): UpstreamClient | undefined
  /** What the server turned out to speak. */
  era(): Era
  readonly timeoutMs: number
}

interface CallerSession {
  opened: Promise<UpstreamClient>
  client: UpstreamClient | undefined
}

/** Who uses one session, and for what. It outlives the session itself. */
interface Use {
  readonly capabilities: JsonObject
  readonly callers: Map<string, Caller>
  /** The newest token that any of them showed; they are all of one principal where it matters. */
  subject: SubjectToken | undefined
  /** Subscribed URI → caller key → whom to tell. */
  readonly subscriptions: Map<string, Map<string, (uri: string) => void>>
  /** What the server is being asked for: it may tell of a change before its answer is here. */
  readonly asked: Set<Pick<Followed, 'uri' | 'onUpdated'>>
}

export class CallerSessions {
  readonly #target: Target
  readonly #opener: SessionOpener
  readonly #sessions = new Map<string, CallerSession>()
  readonly #uses = new Map<string, Use>()
  /** The sessions that each caller uses: one, and another where the server changed what it speaks. */
  readonly #keys = new Map<string, Set<string>>()
  /** How many resources each caller follows. */
  readonly #followed = new Map<string, number>()
  readonly #closing = new AbortController()

  constructor(target: Target, opener: SessionOpener) {
    this.#target = target
    this.#opener = opener
  }

  /** The caller's session: at once where it is open, else opened. */
  get(caller: Caller): UpstreamClient | Promise<UpstreamClient> {
    const key = this.#keyOf(caller)
    this.#use(key, caller)
    const open = key === MONITOR ? this.#opener.monitorNow() : this.openClient(key)
    return open ?? this.#session(key)
  }

  /** A session that is open already. */
  openClient(key: string): UpstreamClient | undefined {
    return this.#sessions.get(key)?.client
  }

  /** The server no longer knows this session: the next use opens another. */
  discard(client: UpstreamClient): void {
    for (const [key, session] of this.#sessions) {
      if (session.client !== client) continue
      this.#sessions.delete(key)
      // Closed at once, it would take away what shows that the others of its requests did not run either.
      void client.finish(this.#target.stateful)
    }
  }

  /** The session of a caller where the target is `stateful`; `undefined` where other processes cannot use it. */
  async place(caller: Caller): Promise<UpstreamPlace | undefined> {
    if (this.#keyOf(caller) !== caller.key) return undefined
    const { sessionId: id, server } = await this.get(caller)
    return id === undefined ? undefined : { id, protocolVersion: server.protocolVersion }
  }

  /** The caller wants other log messages than before. Only sessions that it uses already are told. */
  async setLogLevel(caller: Caller): Promise<void> {
    const key = this.#keyOf(caller)
    const use = this.#uses.get(key)
    if (use?.callers.has(caller.key) !== true) return
    const client = key === MONITOR ? await this.#opener.monitor() : this.openClient(key)
    if (client !== undefined) await this.#level(client, use)
  }

  /** The caller's roots are others than before. Only a server that was told of roots hears of it. */
  rootsChanged(caller: Caller): void {
    const { roots } = relayedCapabilities(caller, this.#target)
    if (!isJsonObject(roots) || roots['listChanged'] !== true) return
    this.openClient(this.#keyOf(caller))?.reply(
      notificationText('notifications/roots/list_changed'),
    )
  }

  /**
   * Resolves with `false` where the caller has gone meanwhile.
   * @throws what `UpstreamClient.request` throws, or JsonRpcError for too many; then nothing is subscribed
   */
  async subscribe(caller: Caller, uri: string, onUpdated: (uri: string) => void): Promise<boolean> {
    const key = this.#keyOf(caller)
    const { callers, subscriptions, asked } = this.#use(key, caller)
    if ((this.#followed.get(caller.key) ?? 0) >= MAX_FOLLOWED) throw TOO_MANY
    // On a session for several callers the server has been asked already.
    if ((subscriptions.get(uri)?.size ?? 0) === 0) {
      const asking = { uri, onUpdated }
      asked.add(asking)
      await this.#inSession(key, (client) => client.subscribe(uri, this.#opener.timeoutMs)).finally(
        () => asked.delete(asking),
      )
    }
    if (!callers.has(caller.key)) return false
    const listeners = subscriptions.get(uri) ?? new Map<string, (uri: string) => void>()
    if (!listeners.has(caller.key)) this.#count(caller.key, 1)
    listeners.set(caller.key, onUpdated)
    subscriptions.set(uri, listeners)
    return true
  }

  /** @throws what `UpstreamClient.request` throws */
  async unsubscribe(caller: Caller, uri: string): Promise<void> {
    const key = this.#keyOf(caller)
    const use = this.#uses.get(key)
    if (use === undefined || !this.#drop(use, caller.key, uri)) return
    await this.#inSession(key, (client) => client.unsubscribe(uri, this.#opener.timeoutMs))
  }

  /** What callers follow. */
  *followed(): Iterable<Followed> {
    for (const { callers, subscriptions } of this.#uses.values()) {
      for (const [uri, listeners] of subscriptions) {
        for (const [key, onUpdated] of listeners) {
          const caller = callers.get(key)
          if (caller !== undefined) yield { caller, uri, onUpdated }
        }
      }
    }
  }

  /** The caller is gone: ends the sessions that nobody else uses. */
  release(callerKey: string): void {
    const keys = this.#keys.get(callerKey) ?? []
    this.#keys.delete(callerKey)
    for (const key of keys) {
      const use = this.#uses.get(key)
      if (use === undefined) continue
      const isPlaced = this.#placeOf(use) !== undefined
      if (!use.callers.delete(callerKey)) continue
      for (const uri of use.subscriptions.keys()) {
        if (this.#drop(use, callerKey, uri) && use.callers.size > 0)
          this.#unsubscribeSilently(key, uri)
      }
      if (use.callers.size > 0) continue
      this.#uses.delete(key)
      const session = this.#sessions.get(key)
      this.#sessions.delete(key)
      void session?.opened.then(
        (client) => client.close(isPlaced),
        () => undefined,
      )
    }
  }

  /** What the backend's own session says, for those who share it. */
  readonly shared = {
    onUpdated: (uri: string) => this.#updated(MONITOR, uri),
    onLog: (params: RawObject) => this.#log(MONITOR, params),
    /** It was opened anew. */
    onOpen: (client: UpstreamClient) => {
      const use = this.#uses.get(MONITOR)
      if (use !== undefined) void this.#prepare(client, use).catch(() => undefined)
    },
  }

  async close(): Promise<void> {
    this.#closing.abort()
    const sessions = [...this.#sessions].map(([key, { opened }]) => {
      return { opened, isPlaced: this.#placeOf(this.#uses.get(key)) !== undefined }
    })
    this.#sessions.clear()
    this.#uses.clear()
    this.#keys.clear()
    this.#followed.clear()
    await Promise.all(
      sessions.map(({ opened, isPlaced }) =>
        opened.then(
          (client) => client.close(isPlaced),
          () => undefined,
        ),
      ),
    )
  }

  /** Callers share a session where the scope of a child lets them, and where they can be asked for the same. */
  #keyOf(caller: Caller): string {
    const { endpoint } = this.#target
    const isModern = this.#opener.era() === 'modern'
    // Each request says for itself whom it is for, but what is followed is followed on somebody's account.
    if (endpoint.kind === 'http' && isModern && !callsForOthers(this.#target)) return MONITOR
    if (caller.era === 'legacy' && (endpoint.kind === 'http' || endpoint.scope === 'session')) {
      return caller.key
    }
    const profile = isModern ? '{}' : JSON.stringify(relayedCapabilities(caller, this.#target))
    if (endpoint.kind === 'http') return `${caller.principal} ${profile}`
    // Anonymous callers are one principal, and our own: those who can be asked nothing share our child.
    const isOurs = endpoint.scope === 'shared' || caller.principal === ANONYMOUS
    if (isOurs && profile === '{}') return MONITOR
    return `${endpoint.scope === 'shared' ? '' : caller.principal} ${profile}`
  }

  #use(key: string, caller: Caller): Use {
    const known = this.#uses.get(key)
    const use: Use = known ?? {
      capabilities: relayedCapabilities(caller, this.#target),
      callers: new Map(),
      subject: undefined,
      subscriptions: new Map(),
      asked: new Set(),
    }
    if (known === undefined) this.#uses.set(key, use)
    const isNew = !use.callers.has(caller.key)
    use.callers.set(caller.key, caller)
    use.subject = caller.subject ?? use.subject
    if (isNew) this.#keys.set(caller.key, (this.#keys.get(caller.key) ?? new Set()).add(key))
    // A session opened for others does not know yet what this one wants to hear.
    if (isNew && caller.logLevel !== undefined) void this.setLogLevel(caller).catch(() => undefined)
    return use
  }

  /** Does it in a new session where the server does not know the old one any more: it refused it at the door. */
  async #inSession(key: string, act: (client: UpstreamClient) => Promise<void>): Promise<void> {
    const client = await this.#session(key)
    try {
      await act(client)
    } catch (error) {
      if (!(error instanceof UpstreamSessionLostError) || this.#target.stateful) throw error
      this.discard(client)
      // Nobody would end a session that is opened for callers who have gone.
      if (!this.#uses.has(key)) throw error
      await act(await this.#session(key))
    }
  }

  #session(key: string): Promise<UpstreamClient> {
    if (key === MONITOR) return this.#opener.monitor()
    return (this.#sessions.get(key) ?? this.#open(key)).opened
  }

  #open(key: string): CallerSession {
    const forget = (): void => {
      if (this.#sessions.get(key) === session) this.#sessions.delete(key)
    }
    const session: CallerSession = { opened: this.#opened(key, forget), client: undefined }
    session.opened.then((client) => (session.client = client), forget)
    this.#sessions.set(key, session)
    return session
  }

  async #opened(key: string, forget: () => void): Promise<UpstreamClient> {
    const use = this.#uses.get(key)
    const listener = {
      onUpdated: (uri: string) => this.#updated(key, uri),
      onLog: (params: RawObject) => this.#log(key, params),
      onClose: () => {
        forget()
        void this.#restore(key)
      },
    }
    const account = (): SubjectToken | undefined => use?.subject
    const place = this.#placeOf(use)
    const client = await this.#opener.open(key, use?.capabilities ?? {}, listener, account, place)
    try {
      if (use !== undefined) await this.#prepare(client, use)
    } catch (error) {
      // A server that will not have the old level or an old subscription can still be called.
      if (!(error instanceof JsonRpcError)) {
        void client.close()
        throw error
      }
    }
    return client
  }

  /** Where the one caller of a session has it, for other processes too. */
  #placeOf(use: Use | undefined): UpstreamPlace | undefined {
    if (!this.#target.stateful || use === undefined) return undefined
    const [caller] = use.callers.values()
    return caller?.places?.get(idOf(this.#target))
  }

  /** Who follows a resource must hear of it again without asking for anything first. */
  async #restore(key: string): Promise<void> {
    const { signal } = this.#closing
    const backOff = new BackOff()
    while (!signal.aborted && (this.#uses.get(key)?.subscriptions.size ?? 0) > 0) {
      try {
        await this.#session(key)
        return
      } catch {
        // The server is still away; the monitor reports that, so nothing is said here.
        await backOff.wait(signal)
      }
    }
  }

  /** Brings a new session to the state that its users left the last one in. */
  async #prepare(client: UpstreamClient, use: Use): Promise<void> {
    await this.#level(client, use)
    for (const uri of use.subscriptions.keys()) await client.subscribe(uri, this.#opener.timeoutMs)
  }

  /** One level for all who share the session: the most talkative. Each hears of it what it asked for. */
  async #level(client: UpstreamClient, { callers }: Use): Promise<void> {
    const wanted = new Set<LogLevel | undefined>([...callers.values()].map((it) => it.logLevel))
    const level = LOG_LEVELS.find((it) => wanted.has(it))
    if (level !== undefined) await client.setLogLevel(level, this.#opener.timeoutMs)
  }

  #unsubscribeSilently(key: string, uri: string): void {
    this.#session(key)
      .then((client) => client.unsubscribe(uri, this.#opener.timeoutMs))
      .catch(() => undefined)
  }

  /** Returns true where nobody follows the URI any more. */
  #drop({ subscriptions }: Use, callerKey: string, uri: string): boolean {
    const listeners = subscriptions.get(uri)
    if (listeners === undefined || !listeners.delete(callerKey)) return false
    this.#count(callerKey, -1)
    return listeners.size === 0 && subscriptions.delete(uri)
  }

  #count(callerKey: string, more: 1 | -1): void {
    const count = (this.#followed.get(callerKey) ?? 0) + more
    if (count > 0) this.#followed.set(callerKey, count)
    else this.#followed.delete(callerKey)
  }

  /** The server may name a part of what was subscribed to (2025-11-25 server/resources). */
  #updated(key: string, uri: string): void {
    const use = this.#uses.get(key)
    if (use === undefined) return
    for (const [subscribed, listeners] of use.subscriptions) {
      if (!uri.startsWith(subscribed)) continue
      for (const tell of listeners.values()) tell(uri)
    }
    for (const { uri: subscribed, onUpdated } of use.asked) {
      if (uri.startsWith(subscribed)) onUpdated(uri)
    }
  }

  /** A message of no call goes to the one who uses the session alone; among several it would be anybody's. */
  #log(key: string, params: RawObject): void {
    const callers = [...(this.#uses.get(key)?.callers.values() ?? [])]
    if (callers.length === 1) callers[0]?.notify({ method: 'notifications/message', params })
  }
}
