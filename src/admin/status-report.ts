/** `/api/v1/status`: what this gateway is, and how it is doing. */
import type { Config } from '../config/schema.js'
import type { Readiness } from '../http/health.js'
import type { ModernCallers } from '../session/modern-callers.js'
import type { SessionStore } from '../session/session-store.js'
import { VERSION } from '../version.js'
import type { Insight } from './insight.js'
import { trafficSummary } from './traffic.js'

interface Parts {
  readonly url: string
  readonly config: Config
  readonly insight: Insight
  readonly readiness: () => Readiness
  readonly sessions: SessionStore
  readonly callers: ModernCallers
}

export function statusReport(parts: Parts): object {
  const { url, config, insight, readiness, sessions, callers } = parts
  const { ready, targets, sources } = readiness()
  const up = targets.filter((it) => it.ready).length
  return {
    name: config.federation.serverInfo.name,
    version: VERSION,
    url,
    /** What the URL says is this machine's loopback address, and others reach it by another. */
    isOnAllAddresses: config.listen.host === '0.0.0.0' || config.listen.host === '::',
    startedAt: insight.startedAt.toISOString(),
    ready,
    authentication: config.authentication.mode,
    targets: { total: targets.length, up, down: targets.filter((it) => !it.ready) },
    sources,
    sessions: { legacy: sessions.size, modern: callers.size },
    denials: insight.refusals.newest.all.length,
    traffic: trafficSummary(insight.traffic.tally(Date.now())),
  }
}
