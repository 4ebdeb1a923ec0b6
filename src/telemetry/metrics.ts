/** What the gateway tells Prometheus and a collector of itself. */
import type { Meter } from '@opentelemetry/api'
import type { Resource } from '@opentelemetry/resources'
import type { PushMetricExporter } from '@opentelemetry/sdk-metrics'
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import type { ServerResponse } from 'node:http'
import { serverNamesOf } from '../../backends/index.js'
import type { RefreshReport } from '../../federation/index.js'
import { shownAttributes } from '../attributes/attributes.js'
import type { Denial } from '../auth/policy.js'
import type { Excess } from '../http/overload.js'
import { EXCESSES } from '../http/overload.js'
import type { Failure } from '../limits/redis/store.js'
import type { PeerOutcome } from '../peers/peers.js'
import { PEER_OUTCOMES } from '../peers/peers.js'
import { VERSION } from '../version.js'
import { Aggregates, Readings } from './aggregates.js'
import { BoundedLabels, OTHER } from './bounded-labels.js'
import type { MetricDescription } from './metric-descriptions.js'
import { METRICS } from './metric-descriptions.js'
import { MAX_NAME, OperationMetrics } from './operation-metrics.js'
import { ProcessMetrics } from './process-metrics.js'
import { PrometheusReader } from './prometheus.js'
import type { MetricsState } from './state-metrics.js'
import { stateMetrics } from './state-metrics.js'

/** Counted from 0, as Prometheus sees no rise in a series that begins with 1. */
const FAILURES: readonly Failure[] = ['timeout', 'connection', 'answer']

export interface MetricsOptions {
  readonly resource: Resource
  /** Where metrics are pushed to. */
  readonly exporter: PushMetricExporter | undefined
  /** Principals with labels of their own. */
  readonly principals: number
  /** Attributes that are labels, as they are now. */
  readonly attributeLabels: () => readonly string[]
  readonly onError: (error: unknown) => void
}

export class Metrics {
  readonly operations: OperationMetrics
  readonly #attributeLabels: () => readonly string[]
  readonly #reader: PrometheusReader
  readonly #provider: MeterProvider
  readonly #meter: Meter
  readonly #process: ProcessMetrics
  readonly #reloads
  #isCurrent = true
  readonly #denied
  readonly #limited
  readonly #overloaded
  readonly #refreshes
  readonly #uncounted
  readonly #given

  constructor(state: MetricsState, options: MetricsOptions) {
    const { resource, exporter, principals, attributeLabels, onError } = options
    this.#attributeLabels = attributeLabels
    this.operations = new OperationMetrics(new BoundedLabels(), principals, attributeLabels)
    const aggregates = new Aggregates([
      ...this.operations.all,
      ...stateMetrics(state),
      new Readings(METRICS.configCurrent, (observe) => observe(this.#isCurrent ? 1 : 0, {})),
    ])
    this.#reader = new PrometheusReader(aggregates, onError)
    const pushing = exporter && [
      new PeriodicExportingMetricReader({ exporter, metricProducers: [aggregates] }),
    ]
    this.#provider = new MeterProvider({ resource, readers: [this.#reader, ...(pushing ?? [])] })
    this.#meter = this.#provider.getMeter('mcp-junction', VERSION)
    this.#process = new ProcessMetrics(this.#meter)
    this.#reloads = this.#counter(METRICS.reloads)
    this.#denied = this.#counter(METRICS.denied)
    this.#limited = this.#counter(METRICS.limited)
    this.#overloaded = this.#counter(METRICS.overloaded)
    this.#refreshes = this.#counter(METRICS.refreshes)
    this.#uncounted = this.#counter(METRICS.uncounted)
    this.#given = this.#counter(METRICS.given)
    for (const outcome of ['applied', 'refused']) this.#reloads.add(0, { outcome })
    for (const reason of EXCESSES) this.#overloaded.add(0, { reason })
    for (const reason of FAILURES) this.#uncounted.add(0, { reason })
    for (const outcome of PEER_OUTCOMES) this.#given.add(0, { outcome })
  }

  configReloaded(outcome: 'applied' | 'refused'): void {
    this.#isCurrent = outcome === 'applied'
    this.#reloads.add(1, { outcome })
  }

  /** Of names, only those of tools and prompts become labels: those are as many as the catalogs have. */
  denied({ item: { kind, name, target }, principal, attributes }: Denial): void {
    const labels = this.#attributeLabels()
    const who = this.operations.principalLabel(principal.name)
    this.#denied.add(1, {
      kind,
      name: kind === 'resource' ? OTHER : name.slice(0, MAX_NAME),
      target,
      reason: 'rule',
      ...(who === undefined ? {} : { principal: who }),
      ...this.operations.attributeLabels(shownAttributes(attributes), labels),
    })
  }

  limited(method: string, target: string, reason: string): void {
    this.#limited.add(1, { method, target, reason })
  }

  overloaded(reason: Excess): void {
    this.#overloaded.add(1, { reason })
  }

  gaveToPeer(outcome: PeerOutcome): void {
    this.#given.add(1, { outcome })
  }

  uncounted(reason: Failure): void {
    this.#uncounted.add(1, { reason })
  }

  catalogRefreshed({ target, reason, outcome }: RefreshReport): void {
    this.#refreshes.add(1, { ...serverNamesOf(target), reason, outcome })
  }

  /** Answers a scrape. */
  answer(response: ServerResponse): void {
    void this.#reader.answer(response)
  }

  /** Sends what has not been sent. */
  async close(): Promise<void> {
    this.#process.close()
    await this.#provider.shutdown()
  }

  #counter({ name, description, unit }: MetricDescription) {
    return this.#meter.createCounter(name, { description, unit })
  }
}
