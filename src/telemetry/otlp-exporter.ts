/** Sends what the SDK gives it to an OpenTelemetry collector, as OTLP over HTTP has it (OTLP 1.x, "OTLP/HTTP"). */
import type { ExportResult } from '@opentelemetry/core'
import { ExportResultCode } from '@opentelemetry/core'
import { setTimeout as sleep } from 'node:timers/promises'
import type { HttpPoster } from '../../backends/index.js'

/** From the first attempt to the last. */
const DEADLINE_MS = 10_000
const FIRST_PAUSE_MS = 1_000
const LONGEST_PAUSE_MS = 5_000
const FACTOR = 1.5
/** "Retryable Response Codes": with any other the collector would say the same again. */
const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504])

export interface Serializer<T> {
  serializeRequest(request: T): Uint8Array | undefined
}

/** For spans and for metrics: what is asked of exporters of both is the same. */
export class OtlpExporter<T> {
  readonly #serializer: Serializer<T>
  readonly #poster: HttpPoster
  readonly #underway = new Set<Promise<void>>()
  readonly #closing = new AbortController()

  constructor(serializer: Serializer<T>, poster: HttpPoster) {
    this.#serializer = serializer
    this.#poster = poster
  }

  export(items: T, onResult: (result: ExportResult) => void): void {
    const sent = this.#send(items).then(
      () => onResult({ code: ExportResultCode.SUCCESS }),
      (error: Error) => onResult({ code: ExportResultCode.FAILED, error }),
    )
    this.#underway.add(sent)
    void sent.finally(() => this.#underway.delete(sent))
  }

  async forceFlush(): Promise<void> {
    await Promise.all(this.#underway)
  }

  /** Waits for what is on its way; what has failed is not sent again. */
  async shutdown(): Promise<void> {
    this.#closing.abort()
    await this.forceFlush()
    await this.#poster.close()
  }

  async #send(items: T): Promise<void> {
    const body = this.#serializer.serializeRequest(items)
    if (body === undefined) throw new Error('what is to be sent cannot be put into OTLP')
    const deadline = performance.now() + DEADLINE_MS
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * FACTOR, LONGEST_PAUSE_MS)) {
      const error = await this.#attempt(body, deadline - performance.now())
      if (error === undefined) return
      // With jitter, so that many gateways do not come back as one.
      const waitMs = error.askedMs ?? pauseMs * (0.8 + Math.random() * 0.4)
      const isOver = this.#closing.signal.aborted || performance.now() + waitMs >= deadline
      if (!error.isRetryable || isOver) throw error
      await sleep(waitMs, undefined, { signal: this.#closing.signal, ref: false }).catch(() => {
        throw error
      })
    }
  }

  /** Returns what went wrong, if anything did. */
  async #attempt(body: Uint8Array, timeoutMs: number): Promise<SendError | undefined> {
    try {
      const { status, retryAfterMs } = await this.#poster.post(body, timeoutMs)
      if (status < 300) return undefined
      const message = `the collector answers HTTP ${status}`
      return new SendError(message, RETRYABLE.has(status), retryAfterMs)
    } catch (cause) {
      return new SendError('the collector cannot be reached', true, undefined, { cause })
    }
  }
}

class SendError extends Error {
  override readonly name = 'SendError'
  readonly isRetryable: boolean
  /** When the collector wants to be asked again. */
  readonly askedMs: number | undefined

  constructor(
    message: string,
    isRetryable: boolean,
    askedMs: number | undefined,
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.isRetryable = isRetryable
    this.askedMs = askedMs
  }
}
