/**
 * What the gateway tells Prometheus of itself. States are read when they are asked for, so that nothing has to be kept
 * in step.
 */
import type { ObservableResult } from '@opentelemetry/api'
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus'
import { MeterProvider } from '@opentelemetry/sdk-metrics'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { JsonObject } from '../../backends/index.js'
import { shownAttributes } from '../attributes/attributes.js'
import type { Denial } from '../auth/policy.js'
import type { SourceReport } from '../../discovery/index.js'
import type { CatalogKeeper } from '../../federation/index.js'
import type { Failure } from '../limits/redis/store.js'
import { eraOf, transportOf } from '../reports.js'
import { VERSION } from '../version.js'
import { BoundedLabels, OTHER } from './bounded-labels.js'

/** What is read at each scrape. */
export interface MetricsState {
  keepers(): readonly CatalogKeeper[]
  sources(): readonly SourceReport[]
  /** How many things that were discovered are not served for what is wrong with them. */
  problems(): number
  /** Whether limits are shared now; `undefined` where they are this process's own. */
  isStoreUp(): boolean | undefined
}

/** Servers choose names; a scrape holds thousands of them. */
const MAX_LABEL = 128

export class Metrics {
  readonly #bounded = new BoundedLabels()
  readonly #exporter = new PrometheusExporter({
    preventServerStart: true,
    withoutScopeInfo: true,
    withoutTargetInfo: true,
  })
  readonly #provider = new MeterProvider({ readers: [this.#exporter] })
  readonly #meter = this.#provider.getMeter('mcp-junction', VERSION)
  readonly #reloads = this.#meter.createCounter('mcp_junction_config_reloads', {
    description: 'Configurations applied or refused since the start.',
  })

  readonly #denied = this.#meter.createCounter('mcp_junction_denied', {
    description: 'Uses of tools, prompts and resources that rules denied.',
  })

  readonly #limited = this.#meter.createCounter('mcp_junction_limited', {
    description: 'Calls that were beyond their limits.',
  })

  readonly #uncounted = this.#meter.createCounter('mcp_junction_limit_store_errors', {
    description:
      'Calls that were let in or refused because the store of limits did not count them.',
  })

  constructor(state: MetricsState) {
    this.#gauge('mcp_junction_target_up', 'Whether a target can be used now.', (result) => {
      for (const { backend, unavailable } of state.keepers()) {
        result.observe(unavailable === undefined ? 1 : 0, { target: backend.target.name })
      }
    })
    this.#gauge('mcp_junction_target_info', 'What a target speaks; always 1.', (result) => {
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
    const retries = this.#meter.createObservableCounter('mcp_junction_retries', {
      description: 'Requests that a target was sent again.',
    })
    retries.addCallback((result) => {
      for (const { backend } of state.keepers()) {
        result.observe(backend.retries, { target: backend.target.name })
      }
    })
    this.#gauge('mcp_junction_catalog_items', 'Items in the list of a target.', (result) => {
      for (const { backend, catalog } of state.keepers()) {
        for (const [kind, items] of Object.entries(catalog?.items ?? {})) {
          result.observe(items.length, { target: backend.target.name, kind })
        }
      }
    })
    this.#gauge(
      'mcp_junction_unapproved_tools',
      'Tools with definitions that nobody approved, of a target with a guard.',
      (result) => {
        for (const { backend, unapproved } of state.keepers()) {
          const { name, guard } = backend.target
          if (guard !== 'off') result.observe(unapproved.length, { target: name })
        }
      },
    )
    this.#gauge('mcp_junction_source_up', 'Whether what is watched is current.', (result) => {
      for (const { source, ready, reason } of state.sources()) {
        result.observe(ready && reason === undefined ? 1 : 0, { source })
      }
    })
    this.#gauge(
      'mcp_junction_discovery_problems',
      'Things that were discovered and are not served for what is wrong with them.',
      (result) => result.observe(state.problems()),
    )
    let hadStore = false
    this.#gauge(
      'mcp_junction_limit_store_up',
      'Whether the store of limits can be used now.',
      (result) => {
        const isUp = state.isStoreUp()
        if (isUp !== undefined) result.observe(isUp ? 1 : 0)
        // What is not observed any more is told as it was.
        else if (hadStore) result.observe(NaN)
        hadStore ||= isUp !== undefined
      },
    )
  }

  configReloaded(outcome: 'applied' | 'refused'): void {
    this.#reloads.add(1, { outcome })
  }

  /**
   * Of names, only those of tools and prompts become labels: those are as many as the catalogs have. Of attributes those
   * that `labels` names.
   */
  denied({ item: { kind, name, target }, attributes }: Denial, labels: readonly string[]): void {
    const label = kind === 'resource' ? OTHER : name.slice(0, MAX_LABEL)
    const chosen = this.#labelsOf(attributes, labels)
    this.#denied.add(1, { kind, name: label, target, reason: 'rule', ...chosen })
  }

  limited(method: string, reason: string): void {
    this.#limited.add(1, { method, reason })
  }

  uncounted(reason: Failure): void {
    this.#uncounted.add(1, { reason })
  }

  /** Answers a scrape. */
  answer(request: IncomingMessage, response: ServerResponse): void {
    this.#exporter.getMetricsRequestHandler(request, response)
  }

  async close(): Promise<void> {
    await this.#provider.shutdown()
  }

  #labelsOf(attributes: JsonObject, names: readonly string[]): Record<string, string> {
    if (names.length === 0) return {}
    const shown = shownAttributes(attributes)
    const labels = names.map((name) => [
      `attribute_${name}`,
      this.#bounded.of(name, shown[name] ?? ''),
    ])
    return Object.fromEntries(labels) as Record<string, string>
  }

  #gauge(name: string, description: string, read: (result: ObservableResult) => void): void {
    this.#meter.createObservableGauge(name, { description }).addCallback(read)
  }
}
