/**
 * Says no before there is too much to do: while a refusal still costs nothing, and before a body is read. Clients that
 * begin are refused a little earlier than those that are here, so that what was begun can be finished.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { z } from 'zod'
import { durationSchema, ErrorCode } from '../../backends/index.js'
import type { BodyHolder } from './body.js'
import { largestHeap, Pressure } from './pressure.js'
import { RefusedError } from './refusal.js'

/** `listen.overload`. */
export const overloadSchema = z
  .strictObject({
    maxRequests: z
      .int()
      .min(1)
      .prefault(10_000)
      .describe('Requests that are answered at the same time.'),
    maxStreams: z
      .int()
      .min(1)
      .prefault(100_000)
      .describe('Streams that are open at the same time for what belongs to no call.'),
    maxHeldBytes: z
      .int()
      .min(1024)
      .optional()
      .describe(
        'Bodies of all requests that are being answered, in bytes together; one alone may have more. Default: an eighth of the largest heap.',
      ),
    maxMemory: z
      .number()
      .gt(0)
      .max(1)
      .prefault(0.9)
      .describe(
        'Share of the largest heap, or of the memory of the container, that may be in use; beyond it only a few requests are answered at a time.',
      ),
    maxDelay: durationSchema
      .prefault('2s')
      .describe(
        'How late timers may be, as those of a process with too much to do are; beyond it only a few requests are answered at a time. 0s: however late.',
      ),
  })
  .prefault({})
  .describe('What is too much: requests beyond it are refused at once, with 503 and `Retry-After`.')

export type OverloadSettings = z.output<typeof overloadSchema>

/** What there is too much of. */
export type Excess = (typeof EXCESSES)[number]
export const EXCESSES = ['requests', 'streams', 'bodies', 'memory', 'delay'] as const

export interface OverloadEvents {
  onRefused(excess: Excess): void
  /** Nothing has been refused for a while, after so many that were. */
  onOver(refused: number): void
}

/** Of each limit, what is there for clients that begin. */
const FOR_NEWCOMERS = 0.9
/** Answered at a time however little memory there is, as what is in use may be garbage that nobody has collected yet. */
const FEW = 16
const FEW_NEWCOMERS = 4
/** What the gateway has for itself; of the rest of the largest heap, bodies take five times their size. */
const OWN_BYTES = 48 * 1024 * 1024
const HELD_SHARE = 1 / 8
const LEAST_HELD_BYTES = 1024 * 1024
/** Clients come back within these, and not all at once. */
const SOONEST_RETRY_S = 1
const LATEST_RETRY_S = 3
/** A body that is not wanted is read all the same where that costs less than a new connection. */
const MAX_DRAINED_BYTES = 64 * 1024
const CALM_MS = 5_000

export class Overload implements BodyHolder {
  readonly #settings: OverloadSettings
  readonly #maxHeldBytes: number
  readonly #maxDelayMs: number
  readonly #largestBody: () => number
  readonly #events: OverloadEvents
  readonly #pressure: Pressure
  /** Bodies whose length nobody has said. */
  readonly #unmeasured = new WeakMap<IncomingMessage, { bytes: number }>()
  #requests = 0
  #streams = 0
  #heldBytes = 0
  #refused = 0
  #refusedAt = 0

  /** `largestBody`: what is announced to be larger is refused for that, and never held. */
  constructor(settings: OverloadSettings, largestBody: () => number, events: OverloadEvents) {
    this.#settings = settings
    this.#maxHeldBytes =
      settings.maxHeldBytes ?? Math.max(LEAST_HELD_BYTES, (largestHeap() - OWN_BYTES) * HELD_SHARE)
    this.#maxDelayMs = settings.maxDelay === 0 ? Infinity : settings.maxDelay
    this.#largestBody = largestBody
    this.#events = events
    this.#pressure = new Pressure(() => this.#calm())
  }

  /**
   * Lets a request in, until its response is closed. What frees something, DELETE, always comes in.
   * @throws RefusedError 503
   */
  enter(request: IncomingMessage, response: ServerResponse): void {
    const { method, headers } = request
    if (method === 'GET' && headers.accept?.includes('text/event-stream') === true) {
      return this.#enterStream(response, headers['mcp-session-id'] === undefined)
    }
    if (method !== 'POST' && method !== 'GET') return
    const length = headers['content-length']
    const announced = length === undefined ? 0 : Number(length)
    const bytes = announced > this.#largestBody() ? 0 : announced
    const share = isNewcomer(request) ? FOR_NEWCOMERS : 1
    const excess = this.#excess(bytes, share)
    if (excess !== undefined) throw this.#refusal(excess, announced)
    this.#requests++
    this.#heldBytes += bytes
    const held = length === undefined && method === 'POST' ? { bytes: 0 } : undefined
    if (held !== undefined) this.#unmeasured.set(request, held)
    response.on('close', () => {
      this.#requests--
      this.#heldBytes -= held?.bytes ?? bytes
    })
  }

  /**
   * So much more of a body has come whose length was not announced.
   * @throws RefusedError 503
   */
  hold(request: IncomingMessage, bytes: number): void {
    const held = this.#unmeasured.get(request)
    if (held === undefined) return
    const others = this.#heldBytes - held.bytes
    if (others > 0 && this.#heldBytes + bytes > this.#maxHeldBytes) {
      throw this.#refusal('bodies', Infinity)
    }
    held.bytes += bytes
    this.#heldBytes += bytes
  }

  /**
   * A request that was let in turns out to be a stream.
   * @throws RefusedError 503
   */
  becomesStream(response: ServerResponse): void {
    this.#enterStream(response, false)
    this.#requests--
    response.on('close', () => void this.#requests++)
  }

  close(): void {
    this.#pressure.close()
  }

  #enterStream(response: ServerResponse, isNew: boolean): void {
    const share = isNew ? FOR_NEWCOMERS : 1
    const isFull = this.#streams >= this.#settings.maxStreams * share
    const excess = isFull ? 'streams' : this.#shortage(share)
    if (excess !== undefined) throw this.#refusal(excess, 0)
    this.#streams++
    response.on('close', () => void this.#streams--)
  }

  #excess(bytes: number, share: number): Excess | undefined {
    if (this.#requests >= this.#settings.maxRequests * share) return 'requests'
    const isHolding = bytes > 0 && this.#heldBytes > 0
    if (isHolding && this.#heldBytes + bytes > this.#maxHeldBytes * share) return 'bodies'
    return this.#shortage(share)
  }

  #shortage(share: number): Excess | undefined {
    const { memory, delayMs } = this.#pressure
    const isShort = memory > this.#settings.maxMemory * share
    if (!isShort && delayMs <= this.#maxDelayMs * share) return undefined
    if (this.#requests < (share === 1 ? FEW : FEW_NEWCOMERS)) return undefined
    return isShort ? 'memory' : 'delay'
  }

  #refusal(excess: Excess, unread: number): RefusedError {
    this.#refused++
    this.#refusedAt = performance.now()
    this.#events.onRefused(excess)
    const seconds =
      SOONEST_RETRY_S + Math.floor(Math.random() * (LATEST_RETRY_S - SOONEST_RETRY_S + 1))
    return new RefusedError(503, `this gateway has too much to do; try again in ${seconds} s`, {
      rpcCode: ErrorCode.InternalError,
      data: { reason: 'overloaded', retryAfterMs: seconds * 1_000 },
      headers: {
        'retry-after': String(seconds),
        ...(unread > MAX_DRAINED_BYTES ? { connection: 'close' } : {}),
      },
    })
  }

  #calm(): void {
    if (this.#refused === 0 || performance.now() - this.#refusedAt < CALM_MS) return
    this.#events.onOver(this.#refused)
    this.#refused = 0
  }
}

/** Whether a request begins something: clients that are here name their session, or say which revision they speak. */
function isNewcomer({ headers }: IncomingMessage): boolean {
  return headers['mcp-session-id'] === undefined && headers['mcp-protocol-version'] === undefined
}
