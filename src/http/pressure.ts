/** How near the process is to what it can do: looked at now and then by one timer, so that whoever asks pays nothing. */
import { totalmem } from 'node:os'
import { getHeapStatistics } from 'node:v8'

const LOOK_MS = 250
/** Of V8's limit, what young objects may have; a heap is full without it. */
const YOUNG_BYTES = 48 * 1024 * 1024

/** What objects that live on may have in bytes, before the process ends for it. */
export function largestHeap(): number {
  return getHeapStatistics().heap_size_limit - YOUNG_BYTES
}

export class Pressure {
  readonly #timer: NodeJS.Timeout
  /** Of the container, where it has one; else whatever the machine has is the process's. */
  readonly #limit: number
  #dueAt: number
  #lateMs = 0
  #memory = 0
  #delayMs = 0

  /** `onLook` is called after each look. */
  constructor(onLook: () => void) {
    const limit = process.constrainedMemory()
    this.#limit = limit > 0 && limit < totalmem() ? limit : Infinity
    this.#dueAt = performance.now() + LOOK_MS
    this.#look()
    this.#timer = setInterval(() => {
      this.#look()
      onLook()
    }, LOOK_MS).unref()
  }

  /** The share in use: of the heap's limit or of the container's, whichever is the larger. */
  get memory(): number {
    return this.#memory
  }

  /** How late the process is, at least, for two looks in a row: a machine that slept is late once. */
  get delayMs(): number {
    return this.#delayMs
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    const now = performance.now()
    const lateMs = now - this.#dueAt
    this.#delayMs = Math.min(lateMs, this.#lateMs)
    this.#lateMs = lateMs
    this.#dueAt = now + LOOK_MS
    const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics()
    const ofContainer = this.#limit === Infinity ? 0 : process.memoryUsage.rss() / this.#limit
    this.#memory = Math.max(used / (limit - YOUNG_BYTES), ofContainer)
  }
}
