/** What the admin listener shows of the gateway's state, as JSON. Secrets never: no arguments, no queries of URLs. */
import { basename } from 'node:path'
import type { Backend, Target } from '../backends/index.js'
import { idOf, MODERN_VERSION, serverNamesOf } from '../backends/index.js'
import type { Discovery, Problem, TargetHealth } from '../discovery/index.js'
import type { CatalogKeeper } from '../federation/index.js'
import type { TargetTraffic } from './admin/traffic.js'
import type { CircuitReport, Readiness } from './http/health.js'
import type { VariantState } from './variants/variants.js'

/** The era of a target's protocol, once it is known. */
export function eraOf({ catalog }: CatalogKeeper): 'legacy' | 'modern' | undefined {
  if (catalog === undefined) return undefined
  return catalog.server.protocolVersion >= MODERN_VERSION ? 'modern' : 'legacy'
}

export function transportOf({ endpoint }: Target): 'stdio' | 'sse' | 'http' {
  if (endpoint.kind === 'stdio') return 'stdio'
  return endpoint.protocol === 'sse' ? 'sse' : 'http'
}

/** How a target is, for the status of the resource that lists it. */
export function healthOf({ catalog, unavailable }: CatalogKeeper): TargetHealth {
  return {
    isReachable: unavailable === undefined,
    tools: catalog?.items.tools.length ?? 0,
    ...(unavailable === undefined ? {} : { reason: unavailable.reason }),
  }
}

/**
 * Ready once every source has been read and every target has been tried: a dead one must not keep the others from
 * being served.
 */
export function readinessOf(keepers: readonly CatalogKeeper[], discovery: Discovery): Readiness {
  const sources = discovery.reports
  return {
    ready: sources.every((it) => it.ready) && keepers.every((keeper) => keeper.settled),
    targets: keepers.map(({ backend, unavailable }) => ({
      ...serverNamesOf(backend.target),
      ready: unavailable === undefined,
      ...(unavailable === undefined ? {} : { reason: unavailable.reason }),
      ...circuitOf(backend),
    })),
    sources,
  }
}

/** `/api/v1/targets`. */
export function targetsReport(
  keepers: readonly CatalogKeeper[],
  discovery: Discovery,
  problems: readonly Problem[],
  variants: readonly VariantState[],
  trafficOf: (target: string) => TargetTraffic | undefined,
): object {
  return {
    targets: keepers.map((it) => ({
      ...targetReport(it, trafficOf(idOf(it.backend.target))),
      ...variantReport(it.backend.target, variants),
    })),
    sources: discovery.reports,
    resources: discovery.resources,
    problems: problems.map(({ object, message, isNotice }) => ({
      object,
      message,
      severity: isNotice ? 'notice' : 'error',
    })),
  }
}

function targetReport(keeper: CatalogKeeper, traffic: TargetTraffic | undefined): object {
  const { backend, catalog, unavailable, unapproved } = keeper
  const { target, state } = backend
  const counts = Object.entries(catalog?.items ?? {}).map(([kind, items]) => [kind, items.length])
  return {
    name: idOf(target),
    prefix: target.prefix,
    transport: transportOf(target),
    address: addressOf(target),
    state: state.status,
    since: new Date(state.since).toISOString(),
    ...(unavailable === undefined ? {} : { reason: unavailable.reason }),
    ...circuitOf(backend),
    ...(unapproved.length === 0 ? {} : { unapproved }),
    ...(traffic === undefined ? {} : { traffic }),
    ...(catalog === undefined
      ? {}
      : {
          era: eraOf(keeper),
          protocolVersion: catalog.server.protocolVersion,
          server: catalog.server.info,
          counts: Object.fromEntries(counts) as object,
        }),
  }
}

/** Of a server that is one of several, how callers are given to it. */
function variantReport({ name, variant }: Target, states: readonly VariantState[]): object {
  const state = states.find((it) => it.target === name && it.variant === variant)
  if (variant === undefined || state === undefined) return {}
  const { weight, when, counts, givenUp } = state
  const since = givenUp && { ...givenUp, since: new Date(givenUp.since).toISOString() }
  return { variant: { target: name, name: variant, weight, when, ...counts, givenUp: since } }
}

/** Nothing of a target that is called as usual. */
function circuitOf({ circuit }: Backend): { readonly circuit?: CircuitReport } {
  if (circuit.status === 'closed') return {}
  const { status: state, since, until, reason, ejections } = circuit
  const [from, to] = [since, until].map((it) => new Date(it).toISOString()) as [string, string]
  return { circuit: { state, since: from, until: to, reason, ejections } }
}

/** Where it is, without what may be secret there: queries of URLs, and arguments of programs. */
export function addressOf({ endpoint }: Target): string {
  if (endpoint.kind === 'stdio') return basename(endpoint.command)
  const { origin, pathname } = new URL(endpoint.url)
  return `${origin}${pathname}`
}
