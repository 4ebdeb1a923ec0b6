/** What those who run the gateway see of it, and do with it by hand: put together for the admin listener. */
import type { Registry } from '../backends/index.js'
import type { Sources } from './admin/all-reports.js'
import { allReports } from './admin/all-reports.js'
import { actionsByHand } from './admin/by-hand.js'
import { definitionOf } from './admin/catalog-report.js'
import { Playground } from './admin/playground.js'
import type { AdminApp } from './http/admin-listener.js'
import { adminApp, isGuarded } from './http/admin-listener.js'
import type { InnerDoor } from './http/inner-door.js'
import type { Telemetry } from './telemetry/telemetry.js'

export interface Inspected extends Sources {
  readonly registry: Registry
  readonly telemetry: Telemetry
  /** Somebody is about to look at what there is. */
  readonly onLook: () => void
  /** The way of the playground to the main endpoint. */
  readonly door: InnerDoor
  /** A fault of ours, with nothing about it told to whoever asked. */
  readonly onInternalError: (error: unknown) => void
}

/** `undefined` where there is to be no admin listener. */
export function inspectionOf(inspected: Inspected): AdminApp | undefined {
  const { readiness, insight, federation, variants, registry, telemetry, door } = inspected
  const { admin, listen } = inspected.config()
  const playground = new Playground(door, listen, isGuarded(admin))
  return adminApp(admin, {
    readiness,
    onLook: inspected.onLook,
    answerScrape: (response) => telemetry.metrics.answer(response),
    logLevel: {
      get: () => telemetry.logLevel,
      set: (level) => {
        telemetry.setLogLevel(level)
        telemetry.audit.warn({ level }, 'log level set')
      },
    },
    reports: allReports(inspected),
    definition: (kind, target, original) => definitionOf(federation, kind, target, original),
    watch: (response) => insight.feed.watch(response),
    ...actionsByHand(registry, variants, telemetry.audit),
    play: (request, response) => playground.answer(request, response),
    onInternalError: inspected.onInternalError,
  })
}
