/** What metrics say of the gateway's state. It is read when it is asked for, so that nothing has to be kept in step. */
import { serverNamesOf } from '../../backends/index.js'
import type { SourceReport } from '../../discovery/index.js'
import type { CatalogKeeper } from '../../federation/index.js'
import { eraOf, transportOf } from '../reports.js'
import type { VariantState } from '../variants/variants.js'
import { Readings } from './aggregates.js'
import { METRICS } from './metric-descriptions.js'

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
  variants(): readonly VariantState[]
}

const CIRCUIT_STATES = { closed: 0, 'half-open': 1, open: 2 } as const

export function stateMetrics(state: MetricsState): readonly Readings[] {
  return [
    new Readings(METRICS.targetUp, (observe) => {
      for (const { backend, unavailable } of state.keepers()) {
        observe(unavailable === undefined ? 1 : 0, serverNamesOf(backend.target))
      }
    }),
    new Readings(METRICS.targetInfo, (observe) => {
      for (const keeper of state.keepers()) {
        const { backend, catalog } = keeper
        observe(1, {
          ...serverNamesOf(backend.target),
          transport: transportOf(backend.target),
          era: eraOf(keeper) ?? '',
          version: catalog?.server.protocolVersion ?? '',
        })
      }
    }),
    new Readings(METRICS.circuitState, (observe) => {
      for (const { backend } of state.keepers()) {
        observe(CIRCUIT_STATES[backend.circuit.status], serverNamesOf(backend.target))
      }
    }),
    new Readings(METRICS.retries, (observe) => {
      for (const { backend } of state.keepers()) {
        observe(backend.retries, serverNamesOf(backend.target))
      }
    }),
    new Readings(METRICS.catalogItems, (observe) => {
      for (const { backend, catalog } of state.keepers()) {
        for (const [kind, items] of Object.entries(catalog?.items ?? {})) {
          observe(items.length, { ...serverNamesOf(backend.target), kind })
        }
      }
    }),
    new Readings(METRICS.unapprovedTools, (observe) => {
      for (const { backend, unapproved } of state.keepers()) {
        const { target } = backend
        if (target.guard !== 'off') observe(unapproved.length, serverNamesOf(target))
      }
    }),
    new Readings(METRICS.variantGivenUp, (observe) => {
      for (const { target, variant, givenUp } of state.variants()) {
        observe(givenUp === undefined ? 0 : 1, { target, variant })
      }
    }),
    new Readings(METRICS.sourceUp, (observe) => {
      for (const { source, ready, reason } of state.sources()) {
        observe(ready && reason === undefined ? 1 : 0, { source })
      }
    }),
    new Readings(METRICS.problems, (observe) => observe(state.problems(), {})),
    new Readings(METRICS.sessions, (observe) => {
      for (const [era, count] of Object.entries(state.sessions())) observe(count, { era })
    }),
    new Readings(METRICS.streams, (observe) => observe(state.streams(), {})),
    new Readings(METRICS.storeUp, (observe) => {
      const isUp = state.isStoreUp()
      if (isUp !== undefined) observe(isUp ? 1 : 0, {})
    }),
  ]
}
