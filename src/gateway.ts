/**
 * The composition root: assembles all parts, starts them, and stops them. Read this first, then `assembly.ts`.
 *
 *     client ═▶ http (guards) ─▶ mcp (era, session) ─▶ federation (which backend, which names) ─▶ backends ═▶ server
 */
import type { JsonObject } from '../backends/index.js'
import type { Problem } from '../discovery/index.js'
import type { AssemblyOptions } from './assembly.js'
import { assemble, wantedOf } from './assembly.js'
import type { CallExplanation, SeenLists } from './auth/inspection.js'
import { explainCall, listsSeen } from './auth/inspection.js'
import type { Reach } from './auth/reach.js'
import type { Asker } from './auth/rule-input.js'
import type { Config } from './config/schema.js'
import { secretsOf } from './config/secrets.js'
import type { AdminDoorway } from './http/admin-listener.js'
import { listenForAdmin, urlHost } from './http/admin-listener.js'
import { leave } from './http/drain.js'
import type { Doorway } from './http/entrance.js'
import type { Readiness } from './http/health.js'
import { InnerDoor } from './http/inner-door.js'
import { listen } from './http/listener.js'
import { loggedTls } from './http/tls.js'
import { inspectionOf } from './inspection.js'
import { logWarnings } from './telemetry/gateway-log.js'
import { VERSION } from './version.js'

export interface Gateway {
  /** Where clients connect, e.g. `http://127.0.0.1:8080/mcp`. */
  readonly url: string
  readonly port: number
  /** The listener for those who run the gateway, e.g. `http://127.0.0.1:9090`; `undefined` where there is none. */
  readonly adminUrl: string | undefined
  readonly readiness: () => Readiness
  /** What is wrong with things that were discovered, and not served for it. */
  readonly problems: () => readonly Problem[]
  /**
   * Takes over changed targets and `federation` settings without touching what stayed the same. `listen` and
   * `sessions` are taken over by a new process only.
   */
  apply(config: Config): void
  /** What rules and scopes say of a caller's use of a tool; `undefined` where there is no such tool. */
  explain(asker: Asker, tool: string, given: JsonObject): CallExplanation | undefined
  /** How rules and the tools that there are fit together. */
  reach(): Promise<Reach>
  /** What a caller sees in each list. */
  listsOf(asker: Asker): Promise<SeenLists>
  /** A changed configuration could not be used; it is counted. */
  noteRefusal(): void
  /** Stops as `listen.drain` says: out of service, no new connections, then the end of all sessions and child processes. */
  close(): Promise<void>
}

export interface GatewayOptions extends AssemblyOptions {
  /** Where another process listens for this one, for clients and for those who run the gateway. */
  readonly doorway?: Doorway & AdminDoorway
}

/**
 * Starts a gateway; it listens when the promise resolves, and its backends connect meanwhile.
 * @throws the error of `listen` where the port cannot be had
 */
export async function startGateway(config: Config, options: GatewayOptions): Promise<Gateway> {
  const { logger, doorway } = options
  const parts = await assemble(config, options)
  const { access, admission, app, discovery, federation, insight } = parts
  const { operations, peers, policy, registry, served, state, telemetry } = parts
  const { host, port, tls } = config.listen
  const listener = await listen(app, host, doorway ?? port, tls && loggedTls(tls, logger)).catch(
    async (error: unknown) => {
      await peers?.close(0)
      await telemetry.close()
      throw error
    },
  )
  const scheme = tls === undefined ? 'http' : 'https'
  const url = `${scheme}://${urlHost(host)}:${listener.port}${config.listen.path}`
  const door = new InnerDoor(app)
  const inspection = inspectionOf({
    ...parts,
    url,
    door,
    config: () => served.config,
    problems: () => served.problems,
    readiness: state.readiness,
    onLook: operations.flush,
  })
  if (inspection !== undefined) {
    doorway?.onAdmin(inspection, (report, now) => {
      operations.flush()
      return insight.traffic.talliesFor(report, now)
    })
  }
  const admin = await listenForAdmin(
    doorway === undefined && config.admin,
    logger,
    inspection,
  ).catch(async (error: unknown) => {
    await Promise.all([listener.close(0), peers?.close(0)])
    await telemetry.close()
    throw error
  })
  // Behind a doorway whoever listens says so.
  if (doorway === undefined) {
    logger.info({ url, version: VERSION, targets: config.targets.length }, 'listening')
  }
  logWarnings(logger, config.warnings)
  served.apply(config)
  discovery.start()
  admission.start()
  // Whoever gives something knows this place from a process that was here before; nothing can be served without targets.
  peers?.serve((...visit) => app.given(...visit))

  return {
    url,
    port: listener.port,
    adminUrl: admin?.url,
    readiness: state.readiness,
    problems: () => served.problems,
    apply: (changed) => {
      operations.flush()
      parts.redactor.add(secretsOf(changed))
      access.update(changed)
      policy.update(changed.authorization)
      federation.rulesChanged()
      admission.update(changed)
      telemetry.update(changed.telemetry)
      served.apply(changed)
      discovery.update(wantedOf(changed))
      telemetry.metrics.configReloaded('applied')
      logger.info('configuration applied')
      logWarnings(logger, changed.warnings)
    },
    explain: (...call) => explainCall(parts, ...call),
    reach: parts.reach,
    listsOf: (asker) => listsSeen(parts, asker),
    noteRefusal: () => telemetry.metrics.configReloaded('refused'),
    close: async () => {
      state.stop()
      await leave(config.listen.drain, {
        listener,
        peers,
        onClosing: () => {
          discovery.close()
          parts.reachWatch.close()
          parts.endpoint.drain()
          parts.sseEndpoint?.close()
        },
        onDeadline: () => {
          parts.elsewhere?.giveUp()
          void registry.close()
        },
      })
      parts.elsewhere?.close()
      peers?.hangUp()
      await admission.close()
      insight.close()
      door.close()
      await admin?.listener.close(0)
      operations.flush()
      await telemetry.close()
      parts.sessions.close()
      parts.callers.close()
      parts.endpoint.close()
      parts.overload.close()
      federation.close()
      await registry.close()
    },
  }
}
