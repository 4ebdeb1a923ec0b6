/** Everything that `/api/v1/<name>` shows, by name: functions of what is held now. */
import type { Discovery, Problem } from '../../discovery/index.js'
import type { Federation } from '../../federation/index.js'
import type { Config } from '../config/schema.js'
import type { AdminParts } from '../http/admin-app.js'
import type { Readiness } from '../http/health.js'
import { targetsReport } from '../reports.js'
import type { ModernCallers } from '../session/modern-callers.js'
import type { SessionStore } from '../session/session-store.js'
import type { Variants } from '../variants/variants.js'
import { catalogReport } from './catalog-report.js'
import { configReport } from './config-report.js'
import type { Insight } from './insight.js'
import { sessionsReport } from './sessions-report.js'
import { statusReport } from './status-report.js'
import { historyReport } from './traffic.js'

export interface Sources {
  /** Where clients connect. */
  readonly url: string
  readonly config: () => Config
  readonly problems: () => readonly Problem[]
  readonly readiness: () => Readiness
  readonly redact: (text: string) => string
  readonly insight: Insight
  readonly federation: Federation
  readonly discovery: Discovery
  readonly sessions: SessionStore
  readonly callers: ModernCallers
  readonly variants: Variants
}

export function allReports(sources: Sources): AdminParts['reports'] {
  const { config, problems, redact, insight, federation, discovery, sessions, callers } = sources
  const { variants } = sources
  const { traffic, agents, refusals, changes } = insight
  return {
    status: () => statusReport({ ...sources, config: config() }),
    targets: () =>
      targetsReport(federation.keepers, discovery, problems(), variants.states, (it) =>
        traffic.of(it),
      ),
    catalog: () => catalogReport(federation, changes),
    sessions: () => sessionsReport(sessions, callers),
    denials: () => ({ denials: refusals.newest.all }),
    // Rules are shown as they are written, and may hold what was put into them.
    config: () => JSON.parse(redact(JSON.stringify(configReport(config())))) as object,
    operations: () => insight.operationsReport(),
    history: () => historyReport(traffic.slots(Date.now())),
    agents: () => agents.report(),
  }
}
