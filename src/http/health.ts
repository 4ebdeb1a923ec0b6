/** Probes of kubelets and load balancers: they come by address, tell nothing, and need neither Host nor token. */
import type { HttpBindings } from '@hono/node-server'
import type { Hono } from 'hono'

/** Of a target that has failed too often. */
export interface CircuitReport {
  readonly state: 'open' | 'half-open'
  readonly since: string
  /** When the gateway asks whether it is back. */
  readonly until: string
  readonly reason: string
  /** In a row. */
  readonly ejections: number
}

export interface Readiness {
  /** Whether the first picture of every source has been applied, and every target of it been tried, once. */
  readonly ready: boolean
  /** It has been told to stop, and serves only until that is known everywhere. */
  readonly isStopping?: boolean
  readonly targets: readonly {
    readonly target: string
    /** Which of the target's servers, where it has several. */
    readonly variant?: string
    readonly ready: boolean
    readonly reason?: string
    /** Where it is left alone for now: calls fail at once, its lists are served. */
    readonly circuit?: CircuitReport
  }[]
  /** What targets are discovered by; a reason where it cannot be followed now, and the last state is served. */
  readonly sources: readonly {
    readonly source: string
    readonly ready: boolean
    readonly reason?: string
    readonly since?: string
  }[]
}

export function addHealth(app: Hono<{ Bindings: HttpBindings }>, readiness: () => Readiness): void {
  app.get('/healthz', (c) => c.json({ status: 'ok' }))
  app.get('/readyz', (c) => {
    const report = readiness()
    return c.json(report, report.ready ? 200 : 503)
  })
}
