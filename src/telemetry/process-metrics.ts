/** How the process is: how late its timers are, and what memory it has. */
import type { Meter } from '@opentelemetry/api'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { METRICS } from './metric-descriptions.js'

const RESOLUTION_MS = 20
/** However many readers there are, and however often they come, each sees at least this much of the past. */
const WINDOW_MS = 10_000

interface Delays {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

export class ProcessMetrics {
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  #since = performance.now()
  #last: Delays | undefined

  constructor(meter: Meter) {
    this.#histogram.enable()
    const observe = (
      { name, description, unit }: (typeof METRICS)['memory' | 'eventLoopMax'],
      read: () => number,
    ): void =>
      meter
        .createObservableGauge(name, { description, unit })
        .addCallback((result) => result.observe(read()))
    observe(METRICS.eventLoopP50, () => this.#delays().p50)
    observe(METRICS.eventLoopP99, () => this.#delays().p99)
    observe(METRICS.eventLoopMax, () => this.#delays().max)
    observe(METRICS.memory, () => process.memoryUsage.rss())
    observe(METRICS.heap, () => process.memoryUsage().heapUsed)
  }

  close(): void {
    this.#histogram.disable()
  }

  #delays(): Delays {
    const isOver = performance.now() - this.#since >= WINDOW_MS
    if (this.#last !== undefined && !isOver) return this.#last
    const histogram = this.#histogram
    const delays = {
      p50: seconds(histogram.percentile(50)),
      p99: seconds(histogram.percentile(99)),
      max: seconds(histogram.max),
    }
    if (isOver) {
      this.#last = delays
      this.#since = performance.now()
      histogram.reset()
    }
    return delays
  }
}

/** What is measured is the time between two timers, of which the resolution is no delay. */
function seconds(nanoseconds: number): number {
  return Number.isFinite(nanoseconds) ? Math.max(0, nanoseconds / 1e9 - RESOLUTION_MS / 1e3) : 0
}
