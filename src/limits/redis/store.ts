/**
 * The connection to Redis: kept up by itself, and never waited for longer than its timeout. What fails once is asked
 * again on a new connection only, so that a server that hangs, or that another one has replaced, holds up nobody twice.
 */
import { readFile } from 'node:fs/promises'
import { BackOff, reasonOf } from '../../../backends/index.js'
import type { RedisSettings } from '../store-settings.js'
import type { Script } from './scripts.js'
import { ENTER } from './scripts.js'

/** Why the store could not be asked. */
export type Failure = 'timeout' | 'connection' | 'answer'

/** What limiters need of the store. */
export interface Scripts {
  /** Runs a script on keys without their prefix. @throws StoreError */
  run(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown>
}

export interface StoreState {
  readonly isUp: boolean
  /** Why not. */
  readonly reason?: string
}

export class StoreError extends Error {
  readonly failure: Failure

  constructor(failure: Failure, message: string) {
    super(message)
    this.name = 'StoreError'
    this.failure = failure
  }
}

/** TCP, TLS, credentials and the first script; whoever calls meanwhile waits for none of it but the first time. */
const OPENING_MS = 5_000
/** Between attempts to connect: limits are soon shared again, and a server that starts is not stormed. */
const LONGEST_PAUSE_MS = 2_000
/** A connection that held for so long was a good one, and the next is opened without a pause. */
const STEADY_MS = 5_000
/** A limit nobody reaches: its bucket is written, and is gone in a millisecond. */
const PROBE = ['', '0', '0', '1000000', '1']
const MAX_REASON = 200

/** The part of the client's type that is needed here: the whole takes its commands along. */
interface Client {
  connect(): Promise<unknown>
  close(): Promise<unknown>
  destroy(): void
  on(event: 'error', listener: (error: unknown) => void): unknown
  sendCommand(args: readonly string[]): Promise<unknown>
}

interface Connection {
  readonly client: Client
  /** Resolves when it cannot be used any more. */
  readonly lost: Promise<void>
  lose(error: unknown): void
}

export class RedisStore implements Scripts {
  readonly #settings: RedisSettings
  readonly #onState: (state: StoreState) => void
  readonly #closing = new AbortController()
  /** That it is known for the first time whether there is a connection. */
  readonly #first = new Happening()
  #current: Connection | undefined

  /** `onState` hears of every failed attempt, so that it can tell when the reason changes. */
  constructor(settings: RedisSettings, onState: (state: StoreState) => void) {
    this.#settings = settings
    this.#onState = onState
  }

  get isUp(): boolean {
    return this.#current !== undefined
  }

  start(): void {
    void this.#stayConnected()
  }

  async run(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    const until = performance.now() + this.#settings.timeoutMs
    const isFirst = !this.#first.hasHappened
    if (isFirst) {
      // Whoever comes first waits for the first connection; nobody does once it took too long.
      await within(this.#first.promise, until).catch((error: unknown) => this.#goDown(error))
    }
    const connection = this.#current
    if (connection === undefined) throw new StoreError('connection', 'not connected')
    try {
      return await within(this.#evaluate(connection.client, script, keys, args), until)
    } catch (error) {
      const failure = toStoreError(error, this.#settings)
      // Who came first had only the rest of its time for the question itself.
      if (!isFirst || failure.failure !== 'timeout') connection.lose(failure)
      throw failure
    }
  }

  /** What has been asked is still answered, if that is soon. */
  async close(): Promise<void> {
    this.#closing.abort()
    this.#first.happen()
    const connection = this.#current
    this.#current = undefined
    if (connection === undefined) return
    const { client } = connection
    await within(client.close(), performance.now() + this.#settings.timeoutMs).catch(() =>
      client.destroy(),
    )
    connection.lose(undefined)
  }

  async #stayConnected(): Promise<void> {
    const { signal } = this.#closing
    const backOff = new BackOff(LONGEST_PAUSE_MS)
    for (;;) {
      await backOff.wait(signal)
      if (signal.aborted) return
      try {
        const connection = await this.#open()
        const since = performance.now()
        await connection.lost
        if (performance.now() - since > STEADY_MS) backOff.reset()
      } catch (error) {
        this.#goDown(error)
      }
    }
  }

  /** A connection that has just done what a call does, as fast as a call needs it. */
  async #open(): Promise<Connection> {
    const { signal } = this.#closing
    const client = await this.#createClient()
    signal.throwIfAborted()
    const giveUp = (): void => client.destroy()
    signal.addEventListener('abort', giveUp, { once: true })
    const loss = new Happening()
    const connection: Connection = {
      client,
      lost: loss.promise,
      lose: (error) => {
        if (loss.hasHappened) return
        loss.happen()
        const wasCurrent = this.#current === connection
        if (wasCurrent) this.#current = undefined
        client.destroy()
        if (wasCurrent) this.#goDown(error)
      },
    }
    client.on('error', (error) => connection.lose(error))
    const probe = () => this.#evaluate(client, ENTER, ['probe'], PROBE)
    const opening = client.connect().then(probe)
    try {
      await within(opening, performance.now() + OPENING_MS)
      await within(probe(), performance.now() + this.#settings.timeoutMs)
      if (loss.hasHappened) throw new StoreError('connection', 'the connection was lost')
      this.#goUp(connection)
    } catch (error) {
      client.destroy()
      // What is being connected when it is destroyed connects all the same.
      opening.then(
        () => client.destroy(),
        () => undefined,
      )
      throw error
    } finally {
      signal.removeEventListener('abort', giveUp)
    }
    return connection
  }

  async #createClient(): Promise<Client> {
    const { host, port, isTls, caFile, username, password, database } = this.#settings
    // oxlint-disable-next-line no-restricted-imports -- its owner; loaded when it is used, for it takes 60 ms and 17 MB
    const { createClient } = await import('@redis/client')
    const socket = { host, port, connectTimeout: OPENING_MS, reconnectStrategy: false } as const
    const ca = caFile === undefined ? {} : { ca: await readFile(caFile) }
    return createClient({
      socket: isTls ? { ...socket, ...ca, tls: true } : socket,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      database,
      // Older servers and proxies know no other.
      RESP: 2,
      maintNotifications: 'disabled',
      disableClientInfo: true,
      disableOfflineQueue: true,
      // Timeouts are ours: the library's cost an AbortSignal each, and end with the writing.
      commandOptions: { timeout: 0 },
    })
  }

  async #evaluate(
    client: Client,
    script: Script,
    keys: readonly string[],
    args: readonly string[],
  ): Promise<unknown> {
    // In braces is what clusters and proxies place keys by: those of one script have to be in one place.
    const full = keys.map((key) => `${this.#settings.prefix}{limits}:${key}`)
    const rest = [String(keys.length), ...full, ...args]
    try {
      return await client.sendCommand(['EVALSHA', script.sha, ...rest])
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
      return client.sendCommand(['EVAL', script.text, ...rest])
    }
  }

  #goUp(connection: Connection): void {
    if (this.#closing.signal.aborted) return connection.lose(undefined)
    this.#current = connection
    this.#first.happen()
    this.#onState({ isUp: true })
  }

  #goDown(error: unknown): void {
    if (this.#closing.signal.aborted || this.isUp) return
    this.#first.happen()
    this.#onState({ isUp: false, reason: toStoreError(error, this.#settings).message })
  }
}

/** What happens once, and can be waited for. */
class Happening {
  readonly promise: Promise<void>
  #hasHappened = false
  #resolve: (() => void) | undefined

  constructor() {
    this.promise = new Promise((resolve) => (this.#resolve = resolve))
  }

  get hasHappened(): boolean {
    return this.#hasHappened
  }

  happen(): void {
    this.#hasHappened = true
    this.#resolve?.()
  }
}

class LateError extends Error {}

/** Resolves as `promise` does, or rejects when it is too late. */
function within<T>(promise: Promise<T>, until: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      // A process that was busy for long first reads what came meanwhile.
      () => setImmediate(() => reject(new LateError())),
      Math.max(0, until - performance.now()),
    )
    promise.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

/** The error in words that hold no secret: what a server quotes may be our password. */
function toStoreError(error: unknown, { password }: RedisSettings): StoreError {
  if (error instanceof StoreError) return error
  if (error instanceof LateError) return new StoreError('timeout', 'no answer in time')
  const isAnswer = error instanceof Error && /^[A-Z]{2,} /.test(error.message)
  const { code = 'the connection failed' } = error as { code?: string }
  // Those of several addresses at once have no message of their own.
  const text = reasonOf(error) || code
  const said = isAnswer ? `Redis answers ${text.split(/['"`]/)[0]?.trim()}` : text
  const clean = said.replaceAll(/[^\x20-\x7e]/g, '?').slice(0, MAX_REASON)
  const secretless = password === undefined ? clean : clean.replaceAll(password, '…')
  return new StoreError(isAnswer ? 'answer' : 'connection', secretless)
}
