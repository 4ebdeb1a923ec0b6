/**
 * What happens, to whoever watches: server-sent events, gathered for a moment so that a busy gateway does not drown a
 * page. What is more than a reader can take is counted and left out; nothing waits for anybody.
 */
import type { ServerResponse } from 'node:http'
import type { Membership } from '../../backends/index.js'
import { sseMessage } from '../../backends/index.js'
import { RefusedError } from '../http/refusal.js'
import { EventStream, KeepAlive } from '../mcp/event-stream.js'

const GATHER_MS = 200
/** Of one kind, in one such while. */
const MAX_GATHERED = 50
const MAX_WATCHERS = 32

interface Gathered {
  readonly items: unknown[]
  skipped: number
}

export class EventFeed {
  readonly #watchers = new Map<EventStream, Membership<unknown>>()
  readonly #keepAlive = new KeepAlive()
  #gathered = new Map<string, Gathered>()
  #timer: NodeJS.Timeout | undefined

  /** Tells everybody who watches; costs nothing where nobody does. `item` is only made when it is sent. */
  tell(kind: string, item: () => unknown): void {
    if (this.#watchers.size === 0) return
    const gathered = this.#gathered.get(kind) ?? { items: [], skipped: 0 }
    this.#gathered.set(kind, gathered)
    if (gathered.items.length < MAX_GATHERED) gathered.items.push(item())
    else gathered.skipped++
    this.#timer ??= setTimeout(() => this.#send(), GATHER_MS).unref()
  }

  /** @throws RefusedError 503 where so many watch already */
  watch(response: ServerResponse): void {
    if (this.#watchers.size >= MAX_WATCHERS) {
      throw new RefusedError(503, `${MAX_WATCHERS} streams are open already`)
    }
    const stream = new EventStream(response)
    this.#watchers.set(stream, this.#keepAlive.add(stream))
    stream.write(eventText('hello', { gatherMs: GATHER_MS }))
    response.once('close', () => this.#leave(stream))
  }

  get watchers(): number {
    return this.#watchers.size
  }

  close(): void {
    clearTimeout(this.#timer)
    this.#keepAlive.close()
    for (const stream of this.#watchers.keys()) stream.end()
  }

  #leave(stream: EventStream): void {
    this.#watchers.get(stream)?.leave()
    this.#watchers.delete(stream)
  }

  #send(): void {
    this.#timer = undefined
    const gathered = this.#gathered
    this.#gathered = new Map()
    const text = [...gathered].map(([kind, it]) => eventText(kind, it)).join('')
    for (const stream of this.#watchers.keys()) {
      // Whoever does not read is cut off, and sees where things stand when it comes back.
      stream.send(text)
    }
  }
}

function eventText(kind: string, data: unknown): string {
  return sseMessage(JSON.stringify({ kind, ...(data as object) }))
}
