/** The way to an OpenTelemetry collector. Nothing of it is loaded where none is configured. */
import { diag, DiagLogLevel } from '@opentelemetry/api'
import type { PushMetricExporter, ResourceMetrics } from '@opentelemetry/sdk-metrics'
import type { ReadableSpan, SpanExporter } from '@opentelemetry/sdk-trace-base'
import { HttpPoster } from '../../backends/index.js'
import type { Logger } from './logging.js'
import { OtlpExporter } from './otlp-exporter.js'
import type { TelemetrySettings } from './settings.js'

type OtlpSettings = NonNullable<TelemetrySettings['otlp']>

export interface OtlpExporters {
  readonly traces: SpanExporter
  readonly metrics: PushMetricExporter
}

/** A collector that is away would be reported with every batch. */
const REPORT_INTERVAL_MS = 60_000

/** What goes wrong on the way is told to `logger`. */
export async function createExporters(
  { endpoint, protocol, headers }: OtlpSettings,
  logger: Logger,
): Promise<OtlpExporters> {
  reportTo(logger)
  const base = endpoint.replace(/\/+$/, '')
  const isJson = protocol === 'http/json'
  const type = isJson ? 'application/json' : 'application/x-protobuf'
  const serializers = await import('@opentelemetry/otlp-transformer')
  const [spans, metrics] = isJson
    ? [serializers.JsonTraceSerializer, serializers.JsonMetricsSerializer]
    : [serializers.ProtobufTraceSerializer, serializers.ProtobufMetricsSerializer]
  const poster = (signal: string) =>
    new HttpPoster(`${base}/v1/${signal}`, { ...headers, 'content-type': type })
  return {
    traces: new OtlpExporter<ReadableSpan[]>(spans, poster('traces')),
    metrics: new OtlpExporter<ResourceMetrics>(metrics, poster('metrics')),
  }
}

/** OpenTelemetry reports errors to one place in the process. Their texts may hold what a collector answered. */
function reportTo(logger: Logger): void {
  let reportedAt = -Infinity
  const report = (): void => {
    const now = performance.now()
    if (now - reportedAt < REPORT_INTERVAL_MS) return
    reportedAt = now
    logger.warn('telemetry cannot be sent (telemetry.otlp); what is lost is not repeated')
  }
  const reporter = { error: report, warn: report, info: quiet, debug: quiet, verbose: quiet }
  diag.setLogger(reporter, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true })
}

/** For what is no trouble. */
function quiet(): void {}
