/**
 * The one `subscriptions/listen` of a modern server (2026-07-28 basic/patterns/subscriptions): carries what all callers
 * follow. What is followed cannot be changed on a stream, so another is opened, and the old one is closed a little after the
 * new one has been acknowledged: what was said before that may still be on its way. A stream that ends is opened again;
 * what was said meanwhile counts as changed.
 */
import { BackOff } from './back-off.js'
import { Echoes } from './echoes.js'
import { BackendUnreachableError } from './errors.js'
import type { Exchange, Sent } from './transport.js'
import { SETTLED } from './transport.js'
import type { Message, NotificationMessage } from './wire/json-rpc.js'
import { MetaKey } from './wire/modern.js'
import type { JsonObject } from './wire/raw-json.js'
import { isJsonObject } from './wire/raw-json.js'

export interface ListeningOptions {
  /** Sends the request under this id. Returns the way to end it. */
  readonly send: (id: string, filter: JsonObject, exchange: Exchange) => Sent
  /** Lists whose changes the server tells of, as a filter says it. */
  readonly lists: JsonObject
  readonly onNotification: (message: NotificationMessage) => void
  readonly onGap: () => void
  /** The server cannot be reached at all. */
  readonly onUnreachable: (error: Error) => void
  /** How long the server may take to agree; 0 waits for ever. */
  readonly timeoutMs: number
}

interface Stream {
  readonly id: string
  sent: Sent
  /** What the server agreed to; `undefined` where it did not. */
  readonly acknowledged: Promise<JsonObject | undefined>
  acknowledge: (filter: JsonObject | undefined) => void
  isOpen: boolean
}

/** How long a stream that was replaced is still listened to. */
const LINGER_MS = 500
/** Streams that are, at most; of more, the oldest is closed. */
const MAX_LINGERING = 4

export class ModernListening {
  readonly #options: ListeningOptions
  readonly #uris = new Set<string>()
  readonly #streams = new Map<string, Stream>()
  readonly #closing = new AbortController()
  #current: Stream | undefined
  #renewal: Promise<JsonObject | undefined> = Promise.resolve(undefined)
  /** The renewal that has not begun yet. */
  #nextRenewal: Promise<JsonObject | undefined> | undefined
  readonly #lingering: Stream[] = []
  readonly #echoes: Echoes<Stream, NotificationMessage>
  #lastId = 0

  constructor(options: ListeningOptions) {
    this.#options = options
    this.#echoes = new Echoes(options.onNotification)
  }

  /** Resolves once nothing can be missed any more, or the server will not be listened to. Never rejects. */
  async start(): Promise<void> {
    if (this.#current !== undefined || !this.#hasWish()) return
    await this.#renew()
  }

  /** The same over another stream, opened before the one there is closed; it may lead to another server. */
  async restart(): Promise<void> {
    if (this.#current === undefined) return
    if ((await this.#renew()) !== undefined) this.#options.onGap()
  }

  /** Follows a resource as well. Returns false where the server does not agree to that. */
  async follow(uri: string): Promise<boolean> {
    this.#uris.add(uri)
    const agreed = (await this.#renew())?.['resourceSubscriptions']
    const isFollowed = Array.isArray(agreed) && agreed.includes(uri)
    if (!isFollowed) this.#uris.delete(uri)
    return isFollowed
  }

  async unfollow(uri: string): Promise<void> {
    if (this.#uris.delete(uri)) await this.#renew()
  }

  /** A message on a channel that carries those of all requests. */
  hear(message: NotificationMessage): void {
    const meta = message.params.value['_meta']
    const id = isJsonObject(meta) ? meta[MetaKey.subscriptionId] : undefined
    const stream = typeof id === 'string' ? this.#streams.get(id) : undefined
    if (stream !== undefined) this.#heard(stream, message)
  }

  close(): void {
    this.#closing.abort()
    for (const stream of this.#streams.values()) this.#end(stream)
  }

  #hasWish(): boolean {
    return this.#uris.size > 0 || Object.keys(this.#options.lists).length > 0
  }

  /** Opens a stream for what is wanted, once the one asked for before is through; all who wait share the next. */
  #renew(): Promise<JsonObject | undefined> {
    this.#nextRenewal ??= this.#renewal.then(() => {
      this.#nextRenewal = undefined
      return this.#replace()
    })
    this.#renewal = this.#nextRenewal
    return this.#renewal
  }

  async #replace(): Promise<JsonObject | undefined> {
    if (this.#closing.signal.aborted) return undefined
    const before = this.#current
    if (!this.#hasWish()) {
      this.#current = undefined
      if (before !== undefined) this.#end(before)
      return undefined
    }
    const stream = this.#open()
    const agreed = await stream.acknowledged
    if (agreed === undefined) return undefined
    this.#current = stream
    if (before !== undefined) this.#retire(before)
    return agreed
  }

  #retire(stream: Stream): void {
    this.#lingering.push(stream)
    const oldest = this.#lingering.length > MAX_LINGERING ? this.#lingering.shift() : undefined
    if (oldest !== undefined) this.#end(oldest)
    setTimeout(() => {
      const index = this.#lingering.indexOf(stream)
      if (index >= 0) this.#lingering.splice(index, 1)
      this.#end(stream)
    }, LINGER_MS).unref()
  }

  #open(): Stream {
    const id = `listen-${++this.#lastId}`
    const stream: Stream = { id, sent: SETTLED, ...acknowledgement(), isOpen: true }
    this.#streams.set(id, stream)
    const resourceSubscriptions = [...this.#uris]
    const filter = {
      ...this.#options.lists,
      ...(resourceSubscriptions.length > 0 ? { resourceSubscriptions } : {}),
    }
    const ended = (): void => this.#ended(stream)
    const { timeoutMs } = this.#options
    const deadline = timeoutMs === 0 ? undefined : setTimeout(ended, timeoutMs)
    void stream.acknowledged.then(() => clearTimeout(deadline))
    stream.sent = this.#options.send(id, filter, {
      onMessage: (message: Message) => {
        if (message.kind === 'notification') this.#heard(stream, message)
        // The result says that the server is done; an error, that it will not.
        else if (message.kind !== 'request') ended()
      },
      onEnd: ended,
      onError: (error) => {
        const isRefused = error instanceof BackendUnreachableError && !error.sent
        if (isRefused) this.#options.onUnreachable(error)
        ended()
      },
    })
    return stream
  }

  #heard(stream: Stream, message: NotificationMessage): void {
    if (message.method === 'notifications/subscriptions/acknowledged') {
      const { notifications } = message.params.value
      return stream.acknowledge(isJsonObject(notifications) ? notifications : {})
    }
    if (this.#lingering.length === 0) return this.#options.onNotification(message)
    const { uri } = message.params.value
    this.#echoes.hear(stream, JSON.stringify([message.method, uri]), message)
  }

  #ended(stream: Stream): void {
    if (!stream.isOpen) return
    this.#end(stream)
    if (stream !== this.#current) return
    this.#current = undefined
    void this.#reopen()
  }

  async #reopen(): Promise<void> {
    const { signal } = this.#closing
    const backOff = new BackOff()
    while (!signal.aborted && this.#current === undefined && this.#hasWish()) {
      await backOff.wait(signal)
      if (signal.aborted || (await this.#renew()) === undefined) continue
      this.#options.onGap()
    }
  }

  #end(stream: Stream): void {
    if (!stream.isOpen) return
    stream.isOpen = false
    this.#streams.delete(stream.id)
    stream.sent.stop()
    // Whoever waits for it, a call among them, is not to wait for what cannot come any more.
    stream.acknowledge(undefined)
    this.#echoes.end(stream)
    if (this.#lingering.length === 0) this.#echoes.clear()
  }
}

function acknowledgement(): Pick<Stream, 'acknowledged' | 'acknowledge'> {
  let acknowledge!: Stream['acknowledge']
  const acknowledged = new Promise<JsonObject | undefined>((resolve) => (acknowledge = resolve))
  return { acknowledged, acknowledge }
}
