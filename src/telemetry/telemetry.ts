/** Everything that listens to requests, built and wired: metrics, traces, the access log. */
import { resourceFromAttributes } from '@opentelemetry/resources'
import { randomUUID } from 'node:crypto'
import { setTimeout } from 'node:timers/promises'
import { reasonOf } from '../../backends/index.js'
import { VERSION } from '../version.js'
import { accessLine } from './access-log.js'
import type { LogLevel } from './log-levels.js'
import { LOG_LEVELS } from './log-levels.js'
import type { Logger } from './logging.js'
import { Metrics } from './metrics.js'
import type { Operations } from './operations.js'
import { createExporters } from './otlp.js'
import type { TelemetrySettings } from './settings.js'
import type { MetricsState } from './state-metrics.js'
import { Tracing } from './tracing.js'

/** Less than what is left of the patience of those who stop processes. */
const CLOSE_DEADLINE_MS = 2_000

export interface TelemetryOptions {
  readonly settings: TelemetrySettings
  readonly logger: Logger
  readonly operations: Operations
  readonly redact: (text: string) => string
  /** Takes whole lines of the access log; absent where nobody reads them. */
  readonly writeAccess: ((lines: string) => void) | undefined
  /** Whether somebody can look at what is recorded. */
  readonly isServed: boolean
  readonly state: MetricsState
  /** Attributes that are labels, as they are now. */
  readonly attributeLabels: () => readonly string[]
}

export class Telemetry {
  readonly metrics: Metrics
  readonly tracing: Tracing | undefined
  readonly #logger: Logger
  /** What has to be written whatever the level, unless nothing is. */
  readonly audit: Logger
  readonly #isServed: boolean
  readonly #hasLog: boolean
  #settings: TelemetrySettings

  private constructor(
    { settings, logger, operations, writeAccess, isServed }: TelemetryOptions,
    metrics: Metrics,
    tracing: Tracing | undefined,
  ) {
    this.#settings = settings
    this.#isServed = isServed
    this.#hasLog = writeAccess !== undefined
    this.#logger = logger
    this.metrics = metrics
    this.tracing = tracing
    this.audit = logger.child({}, { level: auditLevel(logger.level) })
    operations.subscribe((records) => {
      for (const operation of records) metrics.operations.record(operation)
    })
    operations.subscribeUpstream((records) => {
      for (const operation of records) metrics.operations.recordUpstream(operation)
    })
    if (writeAccess === undefined) return
    operations.subscribe((records) => {
      if (!this.#settings.accessLog || !logger.isLevelEnabled('info')) return
      // Together: to have a line written costs half as much as to make it.
      let lines = ''
      for (const operation of records) lines += `${accessLine(operation)}\n`
      writeAccess(lines)
    })
  }

  /** Loads what sends to a collector, where there is one. */
  static async start(options: TelemetryOptions): Promise<Telemetry> {
    const { settings, logger, state, attributeLabels } = options
    const resource = resourceFromAttributes({
      'service.name': 'mcp-junction',
      'service.version': VERSION,
      'service.instance.id': randomUUID(),
    })
    const exporters = settings.otlp && (await createExporters(settings.otlp, logger))
    const metrics = new Metrics(state, {
      resource,
      exporter: exporters?.metrics,
      principals: settings.metrics.principals,
      attributeLabels,
      onError: (error) => logger.warn({ reason: reasonOf(error) }, 'metrics cannot be read'),
    })
    const tracing =
      exporters && new Tracing(exporters.traces, resource, settings.traces, options.redact)
    return new Telemetry(options, metrics, tracing)
  }

  /** Whether anybody hears of requests now. */
  get isHeard(): boolean {
    const { accessLog } = this.#settings
    return this.#isServed || this.tracing !== undefined || (accessLog && this.#hasLog)
  }

  get allowsBaggage(): boolean {
    return this.#settings.traces.baggage
  }

  get logLevel(): LogLevel {
    return LOG_LEVELS.find((it) => it === this.#logger.level) ?? 'info'
  }

  /** From now on. */
  setLogLevel(level: LogLevel): void {
    this.#logger.level = level
    this.audit.level = auditLevel(level)
  }

  /** Takes over what can change while the gateway runs: all but `otlp` and `metrics`. */
  update(settings: TelemetrySettings): void {
    const before = this.#settings
    this.#settings = settings
    this.tracing?.update(settings.traces)
    const { logLevel } = settings
    // What was set by hand since stays until the configuration says something else.
    if (logLevel !== undefined && logLevel !== before.logLevel) this.setLogLevel(logLevel)
  }

  /** Sends what has not been sent. A collector that is away, or does not answer, must not keep the process. */
  async close(): Promise<void> {
    const sent = Promise.allSettled([this.metrics.close(), this.tracing?.close()])
    await Promise.race([sent, setTimeout(CLOSE_DEADLINE_MS, undefined, { ref: false })])
  }
}

function auditLevel(level: string): LogLevel {
  return level === 'silent' ? 'silent' : 'warn'
}
