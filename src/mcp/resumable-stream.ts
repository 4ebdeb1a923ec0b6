/**
 * An event stream that outlives its connection (2025-11-25 basic/transports, resumability): every message has an id
 * that names the stream and its place, the last of them are kept, and a client that comes back with the id of
 * the last event it saw gets what it missed, on this stream's terms and no other's.
 */
import { randomInt } from 'node:crypto'
import type { ServerResponse } from 'node:http'
import type { RequestId } from '../../backends/index.js'
import { sseMessage } from '../../backends/index.js'
import type { EventBudget, KeepsEvents } from './event-budget.js'
import type { EventId } from './event-ids.js'
import { eventIdOf, newKeeper, streamName } from './event-ids.js'
import { EventStream } from './event-stream.js'

/** What is kept for a client that may come back. Beyond it the oldest is forgotten. */
const MAX_KEPT_EVENTS = 256
const MAX_KEPT_CHARS = 1024 * 1024
/** How soon a client may come back after its connection ended. */
const RETRY_MS = 1_000

/** Within which clients come back when a process is about to end. */
const SOONEST_MOVE_MS = 100
const MOVES_WITHIN_MS = 900

/** Streams of one session that nobody is connected to. */
const MAX_IDLE_STREAMS = 16

interface KeptEvent {
  readonly sequence: number
  readonly text: string
}

export class ResumableStream implements KeepsEvents {
  readonly #name: string
  readonly #isPrimed: boolean
  readonly #budget: EventBudget
  readonly #kept: KeptEvent[] = []
  /** The newest event that is not kept any more. */
  #forgotten = 0
  #keptChars = 0
  #sequence = 0
  #connection: EventStream | undefined
  #isEnded = false
  #isKept = true

  /**
   * `isPrimed`: the first event only tells an id, so that a client can come back before there is a message. Clients
   * before 2025-11-25 take its empty data for a message, and stumble.
   */
  constructor(name: string, isPrimed: boolean, budget: EventBudget) {
    this.#name = name
    this.#isPrimed = isPrimed
    this.#budget = budget
  }

  get isConnected(): boolean {
    return this.#connection !== undefined
  }

  get isEnded(): boolean {
    return this.#isEnded
  }

  /** Whether all that came behind the event of this number can still be given. */
  remembers(sequence: number): boolean {
    return sequence >= this.#forgotten
  }

  /** Whether the end of the stream, which is behind the event of this number, is forgotten. */
  hasLostEnd(sequence: number): boolean {
    return this.#isEnded && sequence < this.#sequence && this.#forgotten === this.#sequence
  }

  /** Begins on this connection; later ones take over with `resume`. */
  connect(response: ServerResponse): void {
    this.#take(response)
    if (!this.#isPrimed) return
    const id = eventIdOf(this.#name, this.#sequence)
    this.#connection?.write(`id: ${id}\nretry: ${RETRY_MS}\ndata: \n\n`)
  }

  /** Goes on, on another connection, behind the event of this number. */
  resume(response: ServerResponse, sequence: number): void {
    this.#connection?.end()
    this.#take(response)
    for (const event of this.#kept)
      if (event.sequence > sequence) this.#connection?.write(event.text)
    if (this.#isEnded) this.#connection?.end()
  }

  send(text: string): void {
    const sequence = ++this.#sequence
    const id = eventIdOf(this.#name, sequence)
    const event = { sequence, text: `id: ${id}\n${sseMessage(text)}` }
    this.#keep(event)
    // Whoever cannot keep up is cut off, and comes back for what it missed.
    this.#connection?.send(event.text)
  }

  /** Resolves when there is room for more; `undefined` where there is, or where nobody is connected. */
  room(): Promise<void> | undefined {
    return this.#connection?.room()
  }

  keepAlive(): void {
    this.#connection?.keepAlive()
  }

  /** Says when to come back. Not all at once: wherever they come to has others to serve. */
  move(): void {
    if (!this.#isPrimed) return
    this.#connection?.write(`retry: ${SOONEST_MOVE_MS + randomInt(MOVES_WITHIN_MS)}\n\n`)
  }

  /** There is nothing more to come. What was kept stays for a client that missed the end. */
  end(): void {
    this.#isEnded = true
    this.#connection?.end()
  }

  #take(response: ServerResponse): void {
    const connection = new EventStream(response)
    this.#connection = connection
    response.once('close', () => {
      if (this.#connection === connection) this.#connection = undefined
    })
  }

  /** What it has kept is gone; what comes from now on is kept again. */
  forgetAll(): void {
    this.#forgotten = this.#sequence
    this.#kept.length = 0
    this.#budget.count(this, -this.#keptChars)
    this.#budget.left(this)
    this.#keptChars = 0
  }

  /** Nobody comes back to it: nothing is kept any more. */
  leave(): void {
    this.#isKept = false
    this.forgetAll()
  }

  #keep(event: KeptEvent): void {
    if (!this.#isKept) return
    const before = this.#keptChars
    this.#kept.push(event)
    this.#keptChars += event.text.length
    while (this.#kept.length > MAX_KEPT_EVENTS || this.#keptChars > MAX_KEPT_CHARS) {
      const oldest = this.#kept.shift()
      if (oldest === undefined) break
      this.#keptChars -= oldest.text.length
      this.#forgotten = oldest.sequence
    }
    this.#budget.count(this, this.#keptChars - before)
  }
}

/** The streams of one session that can be resumed: those that are open, and the last of those that are not. */
export class ResumableStreams {
  readonly #isPrimed: boolean
  readonly #streams = new Map<string, ResumableStream>()
  /** An id from another process, or from before a restart, must not name a stream of this one. */
  readonly #keeper: string
  readonly #budget: EventBudget
  #lastName = 0

  /** `sealedPlace`: where other processes reach this one. */
  constructor(isPrimed: boolean, sealedPlace: string | undefined, budget: EventBudget) {
    this.#isPrimed = isPrimed
    this.#keeper = newKeeper(sealedPlace)
    this.#budget = budget
  }

  /** `calls` are those that it answers; absent for what belongs to none. */
  open(calls?: readonly RequestId[]): ResumableStream {
    const name = streamName(this.#keeper, ++this.#lastName, calls)
    const stream = new ResumableStream(name, this.#isPrimed, this.#budget)
    this.#streams.set(name, stream)
    this.#forget()
    return stream
  }

  /** The stream of an event; `undefined` where it is not held here. */
  find({ stream }: EventId): ResumableStream | undefined {
    return this.#streams.get(stream)
  }

  /** Whether another process may hold the stream of an event, and the client can be sent on to it. */
  maySendOn({ keeper }: EventId): boolean {
    return this.#isPrimed && keeper !== this.#keeper
  }

  /** Nobody comes back to any of them. */
  clear(): void {
    for (const [name, stream] of this.#streams) this.#drop(name, stream)
  }

  /** Keeps no more than so many that nobody is connected to; the oldest go first. */
  #forget(): void {
    const idle = [...this.#streams].filter(([, stream]) => !stream.isConnected)
    for (const [name, stream] of idle.slice(0, Math.max(0, idle.length - MAX_IDLE_STREAMS))) {
      this.#drop(name, stream)
    }
  }

  #drop(name: string, stream: ResumableStream): void {
    this.#streams.delete(name)
    stream.leave()
  }
}
