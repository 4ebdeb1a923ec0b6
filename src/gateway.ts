/**
 * The composition root: builds all parts, wires them and starts them. Read this first.
 *
 *     client ═▶ http (guards) ─▶ mcp (era, session) ─▶ federation (which backend, which names) ─▶ backends ═▶ server
 */
import type { Backend, JsonObject, ListKind, TargetName } from '../backends/index.js'
import { idOf, Registry, serverNamesOf } from '../backends/index.js'
import type { Problem, Snapshot, TargetHealth, Wanted } from '../discovery/index.js'
import { Discovery, EMPTY_SNAPSHOT } from '../discovery/index.js'
import type { CatalogKeeper, StateSealer } from '../federation/index.js'
import { Federation, placeOfState } from '../federation/index.js'
import { Access } from './auth/access.js'
import { Attributes } from './attributes/attributes.js'
import type { CallExplanation, SeenLists } from './auth/inspection.js'
import { explainCall, listsSeen } from './auth/inspection.js'
import type { AttributesOf } from './auth/policy.js'
import type { Asker } from './auth/rule-input.js'
import { Policy } from './auth/policy.js'
import { Insight } from './admin/insight.js'
import type { Reach } from './auth/reach.js'
import { reachOf } from './auth/reach.js'
import { ReachWatch } from './auth/reach-watch.js'
import type { Config } from './config/schema.js'
import { secretsOf } from './config/secrets.js'
import type { AdminDoorway } from './http/admin-listener.js'
import { listenForAdmin, urlHost } from './http/admin-listener.js'
import { Addresses } from './http/addresses.js'
import { createApp } from './http/app.js'
import { BodyLimits } from './http/body-limits.js'
import { leave } from './http/drain.js'
import type { Doorway } from './http/entrance.js'
import { Guards } from './http/guards.js'
import type { Readiness } from './http/health.js'
import { InnerDoor } from './http/inner-door.js'
import { listen } from './http/listener.js'
import { Overload } from './http/overload.js'
import { loggedTls } from './http/tls.js'
import { Admission } from './limits/admission.js'
import type { EndpointOptions } from './mcp/endpoint.js'
import { Elsewhere } from './mcp/elsewhere.js'
import { McpEndpoint } from './mcp/endpoint.js'
import { SseEndpoint } from './mcp/sse-endpoint.js'
import { TermsMaker } from './mcp/terms-maker.js'
import { inspectionOf } from './inspection.js'
import { openPeers } from './peers/open.js'
import { healthOf } from './reports.js'
import { ServiceState } from './service-state.js'
import { ModernCallers } from './session/modern-callers.js'
import { ReplyTokens } from './session/reply-tokens.js'
import { Sealer } from './session/sealing.js'
import { SessionStore } from './session/session-store.js'
import { sessionKeys } from './session/settings.js'
import { SealedTaskIds } from './session/task-ids.js'
import { Afterwards } from './telemetry/afterwards.js'
import {
  CircuitLog,
  GuardLog,
  logCatalog,
  logChange,
  logCollisions,
  logDenial,
  logSource,
  logVariant,
  logWarnings,
  OverloadLog,
  ProblemLog,
  ReachLog,
  StateLog,
  StoreLog,
} from './telemetry/gateway-log.js'
import type { Logger } from './telemetry/logging.js'
import type { Observatory } from './telemetry/observation.js'
import { Observation, UNOBSERVED } from './telemetry/observation.js'
import { Operations } from './telemetry/operations.js'
import { Redactor } from './telemetry/redactor.js'
import { Telemetry } from './telemetry/telemetry.js'
import { hasTrace } from './telemetry/trace-context.js'
import type { UpstreamOperation } from './telemetry/upstream-operation.js'
import { ownRequests } from './telemetry/upstream-operation.js'
import { Variants } from './variants/variants.js'
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

export interface GatewayOptions {
  readonly logger: Logger
  /** Hears of every change of a backend: its state, or what its lists hold. */
  readonly onBackend?: (keeper: CatalogKeeper) => void
  /** Where what is asked is recorded; a new one where none is given. */
  readonly operations?: Operations
  /** Takes lines of the access log. */
  readonly writeAccess?: (line: string) => void
  /** Is given what adds the lines that are still to come, for whoever writes others or ends the process. */
  readonly beforeOtherLines?: (addLines: () => void) => void
  /** Where another process listens for this one, for clients and for those who run the gateway. */
  readonly doorway?: Doorway & AdminDoorway
}

/**
 * Starts a gateway; it listens when the promise resolves, and its backends connect meanwhile.
 * @throws the error of `listen` where the port cannot be had
 */
export async function startGateway(config: Config, options: GatewayOptions): Promise<Gateway> {
  const { logger, doorway, operations = new Operations() } = options
  const insight = new Insight(operations)
  const clientInfo: JsonObject = { name: config.federation.serverInfo.name, version: VERSION }

  const redactor = new Redactor()
  redactor.add(secretsOf(config))
  const redact = (text: string): string => redactor.redact(text)
  const keys = sessionKeys(config.sessions, logger)
  const peers = await openPeers(config.sessions, config.listen)
  const place = peers?.place
  const taskIds = new SealedTaskIds(keys)
  const sealer = new Sealer(keys, 'request state')
  const states: StateSealer = {
    place,
    seal: (text) => sealer.seal(text),
    open: (sealed) => sealer.open(sealed),
  }

  const federation = new Federation(
    config.federation,
    {
      version: VERSION,
      taskIds,
      states,
      counted: (target, asked) => variants.counted(target, asked),
    },
    {
      onCatalog: (keeper) => {
        logCatalog(logger, keeper)
        if (keeper.backend.target.variant !== undefined) variants.reconsider()
        guardLog.update(keeper)
        reachWatch.changed()
        insight.onCatalog(keeper)
        options.onBackend?.(keeper)
        discovery.observe(health)
      },
      onOddItem: (target, what) =>
        logger.warn({ ...serverNamesOf(target), what: redact(what) }, 'left out of the catalog'),
      onRefreshed: (report) => metrics.catalogRefreshed(report),
      onCollisions: (collisions) => logCollisions(logger, collisions),
    },
  )
  const variants = new Variants({
    attributesOf: (...of) => attributes.of(...of),
    addressOf: (request) => addresses.of(request),
    isThere: (id) => federation.mayServe(id),
    onChange: (changed) => {
      logVariant(logger, changed)
      insight.onVariant(changed)
      federation.choicesChanged()
    },
  })
  const stateLog = new StateLog(logger)
  const guardLog = new GuardLog(logger)
  const reachLog = new ReachLog(logger, redact)
  const circuits = new CircuitLog(logger)
  const registry = new Registry(
    { clientInfo, taskIds, redact, watcher: ownRequests((operation) => onUpstream(operation)) },
    {
      onAdded: (backend) => {
        const { tls, auth } = backend.target
        const names = serverNamesOf(backend.target)
        if (tls?.insecureSkipVerify === true) {
          logger.warn(names, 'any certificate is believed (tls.insecureSkipVerify)')
        }
        if (auth?.passthrough !== undefined) {
          logger.warn(names, "callers' own tokens go to this server (auth.passthrough)")
        }
        federation.add(backend)
      },
      onRemoved: (backend) => federation.remove(backend),
      onState: (backend, state) => {
        stateLog.update(backend, state)
        insight.onState(backend, state)
        federation.onState(backend, state)
      },
      onListChanged: (backend: Backend, kind: ListKind) => federation.onListChanged(backend, kind),
      onCircuit: (backend, circuit) => circuits.update(backend, circuit),
      onStderr: ({ target }, line) =>
        logger.info({ ...serverNamesOf(target), stderr: line }, 'server log'),
      onNoise: ({ target }, what) =>
        logger.warn({ ...serverNamesOf(target), what }, 'not the protocol'),
    },
  )
  const sessions = new SessionStore(config.sessions, keys, place, {
    onReleased: (session, isEnded) => {
      metrics.operations.recordSession(session)
      if (isEnded) registry.end(session.caller)
      else registry.release(session.seed.uid)
    },
    onUnheard: (session, text) => elsewhere?.say(session, text),
  })
  const callers = new ModernCallers(config.sessions.idleTimeoutMs, (key) => registry.release(key))
  const attributes = new Attributes(config)
  const attributesOf: AttributesOf = (...of) => attributes.of(...of)
  const policy = new Policy(config.authorization, attributesOf, (denial) => {
    logDenial(telemetry.audit, denial)
    metrics.denied(denial)
    insight.refusals.denied({ ...denial, rule: denial.rule && redact(denial.rule) })
  })
  const access = new Access(config, config.listen.path)
  const addresses = new Addresses(config.listen)
  const storeLog = new StoreLog(logger)
  const admission = new Admission(config, {
    onStore: (settings, state) => storeLog.update(settings, state),
    onUncounted: (reason) => metrics.uncounted(reason),
  })
  const bodyLimits = new BodyLimits(config.listen.maxBodyBytes)
  const overloadLog = new OverloadLog(logger)
  const overload = new Overload(config.listen.overload, () => bodyLimits.atPath(''), {
    onRefused: (excess) => {
      metrics.overloaded(excess)
      overloadLog.refused(excess)
    },
    onOver: (refused) => overloadLog.over(refused),
  })
  const telemetry = await Telemetry.start({
    settings: config.telemetry,
    logger,
    writeAccess: options.writeAccess,
    redact,
    operations,
    isServed: config.admin !== false || options.operations !== undefined,
    attributeLabels: () => attributes.metric,
    state: {
      keepers: () => federation.keepers,
      sources: () => discovery.reports,
      problems: () => found.problems.filter((it) => !it.isNotice).length,
      sessions: () => ({ legacy: sessions.size, modern: callers.size }),
      isStoreUp: () => admission.isStoreUp,
      streams: () => endpoint.streams + (sseEndpoint?.streams ?? 0),
      variants: () => variants.states,
    },
  })
  const { metrics } = telemetry
  const terms = new TermsMaker({ access, addresses, admission, insight, metrics, policy })
  const onUpstream = (operation: UpstreamOperation): void =>
    metrics.operations.recordUpstream(operation)
  const afterwards = new Afterwards((error) => logger.error({ err: error }, 'internal error'))
  options.beforeOtherLines?.(afterwards.finish)
  const observatory: Observatory = {
    operations,
    tracing: telemetry.tracing,
    allowsBaggage: () => telemetry.allowsBaggage,
    attributesOf,
    addressOf: (request) => addresses.of(request),
    onUpstream,
    afterwards,
  }
  const tokens = new ReplyTokens(keys, place)
  const elsewhere =
    peers &&
    new Elsewhere({
      peers,
      sessions,
      tokens,
      placeOfState: (params) => placeOfState(params, states),
      onGiven: (outcome) => metrics.gaveToPeer(outcome),
    })
  const endpointOptions: EndpointOptions = {
    observe: (message, request, ...of) =>
      telemetry.isHeard || hasTrace(message, request)
        ? new Observation(observatory, message, request, ...of)
        : UNOBSERVED,
    sessions,
    callers,
    variants,
    onCallerGone: (key) => registry.release(key),
    tokens,
    elsewhere,
    bodyLimits,
    overload,
    serverOf: (name) => {
      if (name === '') return federation.merged
      return name.includes('/') ? federation.group(name) : federation.single(name)
    },
    termsFor: (asker, response) => terms.for(asker, response),
    onInternalError: (error) => logger.error({ err: error }, 'internal error'),
  }
  const endpoint = new McpEndpoint(endpointOptions)
  const sseEndpoint = config.listen.legacySse ? new SseEndpoint(endpointOptions) : undefined

  let current = config
  let found: Snapshot = EMPTY_SNAPSHOT
  const problems = new ProblemLog(logger)
  const applyTargets = (): void => {
    federation.approve(current.approvals)
    const written = new Set(current.targets.map((it) => it.name))
    // What was found under a name that has just been written is on its way out.
    const targets = [...current.targets, ...found.targets.filter((it) => !written.has(it.name))]
    attributes.update({ attributes: current.attributes, targets })
    bodyLimits.update(targets)
    const isChosenAnew = variants.update(current.variations, targets)
    const change = registry.apply(targets)
    logChange(logger, change)
    for (const id of change.removed) insight.onRemoved(id)
    federation.update(current.federation, targets.map(idOf), found.groups)
    if (isChosenAnew) federation.choicesChanged()
    reachWatch.changed()
  }
  const discovery = new Discovery(wantedOf(config), {
    onSnapshot: (snapshot) => {
      found = snapshot
      problems.update(snapshot.problems)
      applyTargets()
    },
    onSource: (report) => {
      logSource(logger, report)
      reachWatch.changed()
    },
    onStatusRefused: (object, reason) =>
      logger.info({ object, reason }, 'the status cannot be written'),
  })
  const reach = (): Promise<Reach> => reachOf(current.authorization, () => federation.offeredTools)
  const reachWatch = new ReachWatch({
    look: async () => (state.isSettled ? await reach() : undefined),
    onReach: (seen) => reachLog.update(seen),
  })
  const health = (): ReadonlyMap<TargetName, TargetHealth> =>
    new Map(federation.keepers.map((it) => [it.backend.target.name, healthOf(it)]))
  const state = new ServiceState(federation, discovery)
  const { readiness } = state
  const app = createApp({
    access,
    path: config.listen.path,
    addresses,
    guards: new Guards(config.listen),
    overload,
    endpoint,
    sseEndpoint,
    readiness,
    onInternalError: endpointOptions.onInternalError,
  })

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
    url,
    config: () => current,
    problems: () => found.problems,
    readiness,
    onLook: afterwards.finish,
    redact,
    insight,
    federation,
    discovery,
    sessions,
    callers,
    variants,
    registry,
    telemetry,
    door,
    onInternalError: endpointOptions.onInternalError,
  })
  if (inspection !== undefined) {
    doorway?.onAdmin(inspection, (report, now) => {
      afterwards.finish()
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
  applyTargets()
  discovery.start()
  admission.start()
  // Whoever gives something knows this place from a process that was here before; nothing can be served without targets.
  peers?.serve((...visit) => app.given(...visit))

  return {
    url,
    port: listener.port,
    adminUrl: admin?.url,
    readiness,
    problems: () => found.problems,
    apply: (changed) => {
      afterwards.finish()
      current = changed
      redactor.add(secretsOf(changed))
      access.update(changed)
      policy.update(changed.authorization)
      federation.rulesChanged()
      admission.update(changed)
      telemetry.update(changed.telemetry)
      applyTargets()
      discovery.update(wantedOf(changed))
      metrics.configReloaded('applied')
      logger.info('configuration applied')
      logWarnings(logger, changed.warnings)
    },
    explain: (...call) => explainCall({ access, federation, policy }, ...call),
    reach,
    listsOf: (asker) => listsSeen({ access, federation, policy }, asker),
    noteRefusal: () => metrics.configReloaded('refused'),
    close: async () => {
      state.stop()
      await leave(config.listen.drain, {
        listener,
        peers,
        onClosing: () => {
          discovery.close()
          reachWatch.close()
          endpoint.drain()
          sseEndpoint?.close()
        },
        onDeadline: () => {
          elsewhere?.giveUp()
          void registry.close()
        },
      })
      peers?.hangUp()
      await admission.close()
      insight.close()
      door.close()
      await admin?.listener.close(0)
      afterwards.finish()
      await telemetry.close()
      sessions.close()
      callers.close()
      endpoint.close()
      overload.close()
      federation.close()
      await registry.close()
    },
  }
}

function wantedOf({ kubernetes, selectors, resources, targets }: Config): Wanted {
  return {
    settings: kubernetes,
    selectors,
    resources,
    taken: new Set<string>(targets.map((it) => it.name)),
  }
}
