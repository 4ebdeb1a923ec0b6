/** What the log says of backends, catalogs and discovery as they change. */
import type { Backend, BackendState, Circuit, RegistryChange } from '../../backends/index.js'
import { serverNamesOf } from '../../backends/index.js'
import type { Problem, SourceReport } from '../../discovery/index.js'
import type { CatalogKeeper, Collision } from '../../federation/index.js'
import { shownAttributes } from '../attributes/attributes.js'
import type { Denial } from '../auth/policy.js'
import type { Reach } from '../auth/reach.js'
import type { ConfigProblem } from '../config/problems.js'
import { placeText } from '../config/problems.js'
import type { Excess } from '../http/overload.js'
import type { StoreState } from '../limits/redis/store.js'
import type { RedisSettings } from '../limits/store-settings.js'
import type { VariantState } from '../variants/variants.js'
import type { Logger } from './logging.js'

/** Says how backends are: once for each change, not for each attempt. */
export class StateLog {
  readonly #logger: Logger
  readonly #told = new WeakMap<Backend, string>()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  update(backend: Backend, state: BackendState): void {
    const text = state.status === 'unreachable' ? state.reason : state.status
    if (this.#told.get(backend) === text) return
    // An attempt in between is no news.
    if (state.status !== 'connecting') this.#told.set(backend, text)
    const at = serverNamesOf(backend.target)
    switch (state.status) {
      case 'connecting':
        return this.#logger.debug(at, 'connecting')
      case 'ready': {
        const { protocolVersion, info } = state.server
        return this.#logger.info({ ...at, protocolVersion, server: info['name'] }, 'connected')
      }
      case 'unreachable':
        return this.#logger.warn({ ...at, reason: state.reason }, 'unreachable')
      case 'closed':
        return this.#logger.debug(at, 'closed')
    }
  }
}

/** Says which targets are left alone: once when it begins and once when it is over. */
export class CircuitLog {
  readonly #logger: Logger
  readonly #open = new WeakSet<Backend>()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  update(backend: Backend, circuit: Circuit): void {
    const names = serverNamesOf(backend.target)
    if (circuit.status === 'closed') {
      this.#open.delete(backend)
      return this.#logger.info(names, 'called again')
    }
    const { status, reason, ejections, until } = circuit
    const at = { ...names, reason, ejections, until: new Date(until).toISOString() }
    if (this.#open.has(backend)) return this.#logger.debug({ ...at, status }, 'still left alone')
    this.#open.add(backend)
    this.#logger.warn(at, 'failed too often; left alone, calls fail at once')
  }
}

export function logCatalog(logger: Logger, { backend, catalog, unavailable }: CatalogKeeper): void {
  if (catalog === undefined || backend.state.status !== 'ready') return
  const counts = Object.fromEntries(
    Object.entries(catalog.items).map(([kind, items]) => [kind, items.length]),
  )
  const at = { ...serverNamesOf(backend.target), ...counts }
  if (unavailable === undefined) logger.info(at, 'catalog read')
  else logger.warn({ ...at, reason: unavailable.reason }, 'catalog incomplete')
}

/** Names the tools with definitions that nobody approved: once for each change of them. */
export class GuardLog {
  readonly #logger: Logger
  readonly #told = new WeakMap<Backend, string>()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  update({ backend, unapproved }: CatalogKeeper): void {
    const text = JSON.stringify(unapproved)
    if ((this.#told.get(backend) ?? '[]') === text) return
    this.#told.set(backend, text)
    const names = serverNamesOf(backend.target)
    const { guard } = backend.target
    const namesOf = (state: 'changed' | 'new'): readonly string[] =>
      firstOf(unapproved.flatMap((it) => (it.state === state ? [it.tool.slice(0, 256)] : [])))
    const at = { ...names, guard, changed: namesOf('changed'), new: namesOf('new') }
    if (unapproved.length === 0) this.#logger.info(names, 'all definitions are approved')
    else
      this.#logger.warn(at, 'definitions that nobody approved; "mcp-junction lock" approves them')
  }
}

/** Names what of rules and tools does not fit together: once for each change of it. */
export class ReachLog {
  readonly #logger: Logger
  readonly #redact: (text: string) => string
  readonly #told = new Map<keyof Reach, string>()

  constructor(logger: Logger, redact: (text: string) => string) {
    this.#logger = logger
    this.#redact = redact
  }

  update({ idleRules, idleScopes, unreachable }: Reach): void {
    this.#tell('idleRules', 'rules', idleRules, 'these rules name tools that there are not')
    this.#tell('idleScopes', 'toolScopes', idleScopes, 'toolScopes for tools that there are not')
    this.#tell('unreachable', 'tools', unreachable, 'no rule allows these tools to anybody')
  }

  #tell(kind: keyof Reach, as: string, names: readonly string[], message: string): void {
    const text = JSON.stringify(names)
    if ((this.#told.get(kind) ?? '[]') === text) return
    this.#told.set(kind, text)
    if (names.length === 0) return
    const shown = firstOf(names).map((it) => this.#redact(it).slice(0, 256))
    this.#logger.warn({ count: names.length, [as]: shown }, message)
  }
}

export function logWarnings(logger: Logger, warnings: readonly ConfigProblem[]): void {
  for (const { message, ...place } of warnings.slice(0, MAX_NAMES)) {
    logger.warn(
      { at: placeText(place), path: place.path, reason: message },
      'doubtful configuration',
    )
  }
}

/** A variant was given up, or gets callers again. */
export function logVariant(logger: Logger, { target, variant, givenUp }: VariantState): void {
  if (givenUp === undefined) return logger.info({ target, variant }, 'variant restored')
  const { calls, failures } = givenUp
  logger.warn({ target, variant, calls, failures }, 'variant given up; its callers return')
}

export function logCollisions(logger: Logger, collisions: readonly Collision[]): void {
  for (const { exposed, targets } of collisions.slice(0, 50)) {
    logger.warn({ name: exposed, targets }, 'several targets claim this name; none serves it')
  }
}

/** Names in one line of the log; a cluster may have thousands. */
const MAX_NAMES = 20

/** Says which targets came, changed and went; nothing where none did. */
export function logChange(logger: Logger, change: RegistryChange): void {
  const kinds = Object.entries(change).filter(([, names]: [string, string[]]) => names.length > 0)
  if (kinds.length === 0) return
  const summary = kinds.map(([kind, names]: [string, string[]]) => {
    return [kind, firstOf(names)]
  })
  logger.info(Object.fromEntries(summary), 'targets applied')
}

function firstOf(names: readonly string[]): readonly string[] {
  const more = names.length - MAX_NAMES
  return more > 0 ? [...names.slice(0, MAX_NAMES), `and ${more} more`] : names
}

/** A use that was denied. Told at every level but silence, as who watches over rules needs all of them. */
export function logDenial(logger: Logger, { principal, item, method, attributes }: Denial): void {
  const { kind, name, target } = item
  const { id, name: who } = principal
  const shown = shownAttributes(attributes)
  const what = { principal: id, who, method, target, [kind]: name.slice(0, 256) }
  logger.warn({ ...what, attributes: shown }, 'denied')
}

/** Says whether limits are shared: once for each change and each reason, not for each attempt or call. */
export class StoreLog {
  readonly #logger: Logger
  readonly #told = new Set<string>()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  update({ host, port, whenDown }: RedisSettings, { isUp, reason = '' }: StoreState): void {
    const at = { store: `${host}:${port}` }
    if (isUp) {
      this.#told.clear()
      return this.#logger.info(at, 'limits are counted in the store')
    }
    if (this.#told.has(reason)) return
    this.#told.add(reason)
    const what = whenDown === 'open' ? 'limited calls are let in' : 'limited calls are refused'
    this.#logger.warn({ ...at, reason }, `the store of limits cannot be used; ${what}`)
  }
}

/** Says when requests begin to be refused, for each reason, and how many were when that is over. */
export class OverloadLog {
  readonly #logger: Logger
  readonly #told = new Set<Excess>()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  refused(excess: Excess): void {
    if (this.#told.has(excess)) return
    this.#told.add(excess)
    this.#logger.warn({ reason: excess }, 'too much to do; requests are refused')
  }

  over(refused: number): void {
    this.#told.clear()
    this.#logger.info({ refused }, 'no longer too much to do')
  }
}

export function logSource(logger: Logger, { source, ready, reason }: SourceReport): void {
  if (reason === undefined) logger.info({ source }, 'watched')
  else if (ready) logger.warn({ source, reason }, 'not watched; the last known state is served')
  else logger.warn({ source, reason }, 'cannot be watched; trying again')
}

/** Says what is wrong with what was found, once for each problem and as long as it is there. */
export class ProblemLog {
  readonly #logger: Logger
  #told: ReadonlySet<string> = new Set()

  constructor(logger: Logger) {
    this.#logger = logger
  }

  update(problems: readonly Problem[]): void {
    const before = this.#told
    this.#told = new Set(problems.map(keyOf))
    for (const problem of problems) {
      if (before.has(keyOf(problem))) continue
      const { object, message, isNotice } = problem
      this.#logger[isNotice ? 'info' : 'warn']({ object, reason: message }, 'discovery')
    }
  }
}

function keyOf({ object, message }: Problem): string {
  return `${object}\n${message}`
}
