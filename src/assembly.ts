/**
 * All parts of a gateway, built and wired: who tells whom what. Only other replicas can reach it yet.
 *
 * Parts that need each other know the other by a function, which is called when both are there.
 */
import type { Backend, JsonObject, ListKind, TargetName } from '../backends/index.js'
import { Registry, serverNamesOf } from '../backends/index.js'
import type { TargetHealth, Wanted } from '../discovery/index.js'
import { Discovery } from '../discovery/index.js'
import type { CatalogKeeper, StateSealer } from '../federation/index.js'
import { Federation, placeOfState } from '../federation/index.js'
import { Access } from './auth/access.js'
import { Attributes } from './attributes/attributes.js'
import type { AttributesOf } from './auth/policy.js'
import { Policy } from './auth/policy.js'
import { Insight } from './admin/insight.js'
import type { Reach } from './auth/reach.js'
import { reachOf } from './auth/reach.js'
import { ReachWatch } from './auth/reach-watch.js'
import type { Config } from './config/schema.js'
import { secretsOf } from './config/secrets.js'
import { Addresses } from './http/addresses.js'
import { createApp } from './http/app.js'
import { BodyLimits } from './http/body-limits.js'
import { Guards } from './http/guards.js'
import { Overload } from './http/overload.js'
import { Admission } from './limits/admission.js'
import type { EndpointOptions } from './mcp/endpoint.js'
import { Elsewhere } from './mcp/elsewhere.js'
import { McpEndpoint } from './mcp/endpoint.js'
import { SseEndpoint } from './mcp/sse-endpoint.js'
import { TermsMaker } from './mcp/terms-maker.js'
import { openPeers } from './peers/open.js'
import { healthOf } from './reports.js'
import { ServedTargets } from './served-targets.js'
import { ServiceState } from './service-state.js'
import { ModernCallers } from './session/modern-callers.js'
import { ReplyTokens } from './session/reply-tokens.js'
import { Sealer } from './session/sealing.js'
import { SessionStore } from './session/session-store.js'
import { sessionKeys } from './session/settings.js'
import { SealedTaskIds } from './session/task-ids.js'
import {
  CircuitLog,
  GuardLog,
  logCatalog,
  logCollisions,
  logDenial,
  logSource,
  logVariant,
  OverloadLog,
  ReachLog,
  StateLog,
  StoreLog,
} from './telemetry/gateway-log.js'
import type { Logger } from './telemetry/logging.js'
import type { Observatory } from './telemetry/observation.js'
import { Observation, UNOBSERVED } from './telemetry/observation.js'
import { OperationKinds } from './telemetry/operation-kind.js'
import { Operations } from './telemetry/operations.js'
import { Redactor } from './telemetry/redactor.js'
import { Telemetry } from './telemetry/telemetry.js'
import { hasTrace } from './telemetry/trace-context.js'
import { ownRequests } from './telemetry/upstream-operation.js'
import { Variants } from './variants/variants.js'
import { VERSION } from './version.js'

export interface AssemblyOptions {
  readonly logger: Logger
  /** Hears of every change of a backend: its state, or what its lists hold. */
  readonly onBackend?: (keeper: CatalogKeeper) => void
  /** Where what is asked is recorded; a new one where none is given. */
  readonly operations?: Operations
  /** Takes whole lines of the access log. */
  readonly writeAccess?: (lines: string) => void
  /** Is given what adds the lines that are still to come, for whoever writes others or ends the process. */
  readonly beforeOtherLines?: (addLines: () => void) => void
}

/** @throws the error of `listen` where the port for other replicas cannot be had */
export async function assemble(config: Config, options: AssemblyOptions) {
  const { logger } = options
  const onInternalError = (error: unknown): void => logger.error({ err: error }, 'internal error')
  const operations = options.operations ?? new Operations(onInternalError)
  const kinds = new OperationKinds()
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
    {
      clientInfo,
      taskIds,
      redact,
      watcher: ownRequests(kinds, (operation) => operations.recordUpstream(operation)),
    },
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
      problems: () => served.problems.filter((it) => !it.isNotice).length,
      sessions: () => ({ legacy: sessions.size, modern: callers.size }),
      isStoreUp: () => admission.isStoreUp,
      streams: () => endpoint.streams + (sseEndpoint?.streams ?? 0),
      variants: () => variants.states,
    },
  })
  const { metrics } = telemetry
  const terms = new TermsMaker({ access, addresses, admission, insight, metrics, policy })
  options.beforeOtherLines?.(operations.flush)
  const observatory: Observatory = {
    operations,
    kinds,
    tracing: telemetry.tracing,
    allowsBaggage: () => telemetry.allowsBaggage,
    attributesOf: (...of) => attributes.shownOf(...of),
    addressOf: (request) => addresses.of(request),
    onError: onInternalError,
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
    onInternalError,
  }
  const endpoint = new McpEndpoint(endpointOptions)
  const sseEndpoint = config.listen.legacySse ? new SseEndpoint(endpointOptions) : undefined

  const served = new ServedTargets(config, {
    logger,
    federation,
    registry,
    variants,
    attributes,
    bodyLimits,
    insight,
    onChange: () => reachWatch.changed(),
  })
  const discovery = new Discovery(wantedOf(config), {
    onSnapshot: served.applyFound,
    onSource: (report) => {
      logSource(logger, report)
      reachWatch.changed()
    },
    onStatusRefused: (object, reason) =>
      logger.info({ object, reason }, 'the status cannot be written'),
  })
  const reach = (): Promise<Reach> =>
    reachOf(served.config.authorization, () => federation.offeredTools)
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
    onInternalError,
  })

  return {
    access,
    admission,
    app,
    callers,
    discovery,
    elsewhere,
    endpoint,
    federation,
    insight,
    onInternalError,
    operations,
    overload,
    peers,
    policy,
    reach,
    reachWatch,
    redact,
    redactor,
    registry,
    served,
    sessions,
    sseEndpoint,
    state,
    telemetry,
    variants,
  }
}

/** What discovery is to look for. */
export function wantedOf({ kubernetes, selectors, resources, targets }: Config): Wanted {
  return {
    settings: kubernetes,
    selectors,
    resources,
    taken: new Set<string>(targets.map((it) => it.name)),
  }
}
