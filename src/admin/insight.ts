/**
 * What the page knows beyond what is: what went through, who used what, what was denied, how catalogs and targets
 * changed. All of it is bounded, and lost with the process; metrics and logs are what lasts.
 */
import type { Backend, BackendState } from '../../backends/index.js'
import { idOf } from '../../backends/index.js'
import type { CatalogKeeper } from '../../federation/index.js'
import type { Operation, Operations } from '../telemetry/operations.js'
import { gatewayMsOf } from '../telemetry/operations.js'
import type { VariantState } from '../variants/variants.js'
import { Agents } from './agents.js'
import { CatalogChanges } from './catalog-changes.js'
import { EventFeed } from './event-feed.js'
import { Refusals } from './refusals.js'
import { Traffic } from './traffic.js'

const MAX_TEXT = 256

export class Insight {
  readonly startedAt = new Date()
  readonly traffic = new Traffic()
  readonly agents = new Agents()
  readonly refusals = new Refusals()
  readonly changes = new CatalogChanges()
  readonly feed = new EventFeed()
  readonly #operations: Operations

  constructor(operations: Operations) {
    this.#operations = operations
    operations.subscribe((records) => {
      for (const operation of records) this.traffic.add(operation)
      for (const operation of records) this.agents.add(operation)
      if (this.feed.watchers === 0) return
      for (const operation of records) this.feed.tell('operations', () => shown(operation))
    })
    this.refusals.newest.subscribe((refusal) => this.feed.tell('denials', () => refusal))
    this.changes.newest.subscribe((change) => this.feed.tell('catalog', () => change))
  }

  onState({ target }: Backend, state: BackendState): void {
    const reason = state.status === 'unreachable' ? { reason: state.reason } : {}
    this.feed.tell('targets', () => ({ name: idOf(target), state: state.status, ...reason }))
  }

  onVariant({ target: name, variant, givenUp }: VariantState): void {
    const state = givenUp === undefined ? 'restored' : 'given up'
    this.feed.tell('targets', () => ({ name: idOf({ name, variant }), state }))
  }

  onCatalog(keeper: CatalogKeeper): void {
    this.changes.update(keeper)
  }

  onRemoved(name: string): void {
    this.changes.remove(name)
    this.feed.tell('targets', () => ({ name, state: 'removed' }))
  }

  /** `/api/v1/operations`: the newest first. */
  operationsReport(): object {
    return { operations: this.#operations.recent().toReversed().map(shown) }
  }

  close(): void {
    this.feed.close()
  }
}

/**
 * As clients may write as they like, no longer than people read. Each member by its name: kinds hold more than is for people,
 * the settings of targets with their secrets among it.
 */
function shown(operation: Operation): object {
  const { at, durationMs, upstreamMs, session, bytesIn, bytesOut, traceId, spanId } = operation
  const { method, name, isKnownName, target, variant, outcome, errorType } = operation.kind
  const { era, protocolVersion, client, principal, address } = operation.kind
  return {
    at,
    durationMs,
    upstreamMs,
    gatewayMs: gatewayMsOf(operation),
    method,
    name: name.slice(0, MAX_TEXT),
    isKnownName,
    target,
    variant,
    outcome,
    errorType,
    era,
    protocolVersion,
    session,
    principal: { ...principal, name: principal.name.slice(0, MAX_TEXT) },
    client: { name: client.name.slice(0, MAX_TEXT), version: client.version.slice(0, MAX_TEXT) },
    address,
    bytesIn,
    bytesOut,
    traceId,
    spanId,
  }
}
