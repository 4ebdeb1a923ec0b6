/** Answers scrapes. OpenTelemetry's exporter for Prometheus leaves units out of names, and wants a server of its own. */
import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus'
import type { MetricProducer, ResourceMetrics } from '@opentelemetry/sdk-metrics'
import { AggregationTemporality, MetricReader } from '@opentelemetry/sdk-metrics'
import type { ServerResponse } from 'node:http'
import { unitSuffix } from './metric-descriptions.js'

export class PrometheusReader extends MetricReader {
  readonly #serializer = new PrometheusSerializer(undefined, false, undefined, true, true)
  readonly #onError: (error: unknown) => void

  /** `onError` hears of what could not be read; the rest is answered. */
  constructor(producer: MetricProducer, onError: (error: unknown) => void) {
    super({
      aggregationTemporalitySelector: () => AggregationTemporality.CUMULATIVE,
      metricProducers: [producer],
    })
    this.#onError = onError
  }

  async answer(response: ServerResponse): Promise<void> {
    try {
      const { resourceMetrics, errors } = await this.collect()
      for (const error of errors) this.#onError(error)
      const text = this.#serializer.serialize(withUnits(resourceMetrics))
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
      response.end(text)
    } catch (error) {
      this.#onError(error)
      response.writeHead(500).end()
    }
  }

  protected async onForceFlush(): Promise<void> {}

  protected async onShutdown(): Promise<void> {}
}

function withUnits(collected: ResourceMetrics): ResourceMetrics {
  return {
    ...collected,
    scopeMetrics: collected.scopeMetrics.map((scope) => ({
      ...scope,
      metrics: scope.metrics.map((metric) => {
        const { name, unit } = metric.descriptor
        const descriptor = { ...metric.descriptor, name: name + unitSuffix(unit), unit: '' }
        return { ...metric, descriptor }
      }),
    })),
  }
}
