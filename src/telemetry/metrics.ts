/**
 * What the gateway tells Prometheus and a collector of itself. States are read when they are asked for, so that nothing
 * has to be kept in step.
 */
import type { Meter, ObservableResult } from '@opentelemetry/api'
import type { Resource } from '@opentelemetry/resources'
import type { PushMetricExporter } from '@opentelemetry/sdk-metrics'
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics'
import type { ServerResponse } from 'node:http'
import type { SourceReport } from '../../discovery/index.js'
import type { CatalogKeeper, RefreshReport } from '../../federation/index.js'
import { shownAttributes } from '../attributes/attributes.js'
import type { Denial } from '../auth/policy.js'
import type { Failure } from '../limits/redis/store.js'
import { eraOf, transportOf } from '../reports.js'
import { VERSION } from '../version.js'
import { Aggregates } from './aggregates.js'
import { BoundedLabels, OTHER } from './bounded-labels.js'
import type { MetricDescription } from './metric-descriptions.js'
import { METRICS } from './metric-descriptions.js'
import { MAX_NAME, OperationMetrics } from './operation-metrics.js'
import { ProcessMetrics } from './process-metrics.js'
import { PrometheusReader } from './prometheus.js'

/** What is read at each scrape. */
export interface MetricsState {
  keepers(): readonly CatalogKeeper[]
  sources(): readonly SourceReport[]
  /** How many things that were discovered are not served for what is wrong with them. */
  problems(): number
  /** Whether limits are shared now; `undefined` where they are this process's own. */
  isStoreUp(): boolean | undefined
  sessions(): { readonly legacy: number; readonly modern: number }
  streams(): number
}

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

const CIRCUIT_STATES = { closed: 0, 'half-open': 1, open: 2 } as const

export class Metrics {
  readonly operations: OperationMetrics
  readonly #attributeLabels: () => readonly string[]
  readonly #reader: PrometheusReader
  readonly #provider: MeterProvider
  readonly #meter: Meter
  readonly #process: ProcessMetrics
  readonly #reloads
  readonly #denied
  readonly #limited
  readonly #refreshes
  readonly #uncounted

  constructor(state: MetricsState, options: MetricsOptions) {
    const { resource, exporter, principals, attributeLabels, onError } = options
    this.#attributeLabels = attributeLabels
    this.operations = new OperationMetrics(new BoundedLabels(), principals, attributeLabels)
    const aggregates = new Aggregates(this.operations.all)
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
    this.#refreshes = this.#counter(METRICS.refreshes)
    this.#uncounted = this.#counter(METRICS.uncounted)
    this.#watch(state)
  }

  configReloaded(outcome: 'applied' | 'refused'): void {
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

  uncounted(reason: Failure): void {
    this.#uncounted.add(1, { reason })
  }

  catalogRefreshed({ target, reason, outcome }: RefreshReport): void {
    this.#refreshes.add(1, { target, reason, outcome })
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

  #watch(state: MetricsState): void {
    this.#gauge(METRICS.targetUp, (result) => {
      for (const { backend, unavailable } of state.keepers()) {
        result.observe(unavailable === undefined ? 1 : 0, { target: backend.target.name })
      }
    })
    this.#gauge(METRICS.targetInfo, (result) => {
      for (const keeper of state.keepers()) {
        const { backend, catalog } = keeper
        result.observe(1, {
          target: backend.target.name,
          transport: transportOf(backend.target),
          era: eraOf(keeper) ?? '',
          version: catalog?.server.protocolVersion ?? '',
        })
      }
    })
    this.#gauge(METRICS.circuitState, (result) => {
      for (const { backend } of state.keepers()) {
        const value = CIRCUIT_STATES[backend.circuit.status]
        result.observe(value, { target: backend.target.name })
      }
    })
    const retries = this.#meter.createObservableCounter(METRICS.retries.name, {
      description: METRICS.retries.description,
    })
    retries.addCallback((result) => {
      for (const { backend } of state.keepers()) {
        result.observe(backend.retries, { target: backend.target.name })
      }
    })
    this.#gauge(METRICS.catalogItems, (result) => {
      for (const { backend, catalog } of state.keepers()) {
        for (const [kind, items] of Object.entries(catalog?.items ?? {})) {
          result.observe(items.length, { target: backend.target.name, kind })
        }
      }
    })
    this.#gauge(METRICS.unapprovedTools, (result) => {
      for (const { backend, unapproved } of state.keepers()) {
        const { name, guard } = backend.target
        if (guard !== 'off') result.observe(unapproved.length, { target: name })
      }
    })
    this.#gauge(METRICS.sourceUp, (result) => {
      for (const { source, ready, reason } of state.sources()) {
        result.observe(ready && reason === undefined ? 1 : 0, { source })
      }
    })
    this.#gauge(METRICS.problems, (result) => result.observe(state.problems()))
    this.#gauge(METRICS.sessions, (result) => {
      for (const [era, count] of Object.entries(state.sessions())) result.observe(count, { era })
    })
    this.#gauge(METRICS.streams, (result) => result.observe(state.streams()))
    let hadStore = false
    this.#gauge(METRICS.storeUp, (result) => {
      const isUp = state.isStoreUp()
      if (isUp !== undefined) result.observe(isUp ? 1 : 0)
      // What is not observed any more is told as it was.
      else if (hadStore) result.observe(NaN)
      hadStore ||= isUp !== undefined
    })
  }

  #counter({ name, description, unit }: MetricDescription) {
    return this.#meter.createCounter(name, { description, unit })
  }

  #gauge(
    { name, description, unit }: MetricDescription,
    read: (result: ObservableResult) => void,
  ): void {
    this.#meter.createObservableGauge(name, { description, unit }).addCallback(read)
  }
}
