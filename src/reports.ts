/** What the admin listener shows of the gateway's state, as JSON. Secrets never: no arguments, no queries of URLs. */
import { basename } from 'node:path'
import type { Backend, Target } from '../backends/index.js'
import { MODERN_VERSION } from '../backends/index.js'
import type { Discovery, Problem, TargetHealth } from '../discovery/index.js'
import type { CatalogKeeper } from '../federation/index.js'
import type { TargetTraffic } from './admin/traffic.js'
import type { CircuitReport, Readiness } from './http/health.js'

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
      target: backend.target.name,
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
  trafficOf: (target: string) => TargetTraffic | undefined,
): object {
  return {
    targets: keepers.map((it) => targetReport(it, trafficOf(it.backend.target.name))),
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
    name: target.name,
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
