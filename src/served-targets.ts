/** Which targets are served now: those that are written, and those that were found. Tells all who have to know. */
import type { Registry } from '../backends/index.js'
import { idOf } from '../backends/index.js'
import type { Problem, Snapshot } from '../discovery/index.js'
import { EMPTY_SNAPSHOT } from '../discovery/index.js'
import type { Federation } from '../federation/index.js'
import type { Insight } from './admin/insight.js'
import type { Attributes } from './attributes/attributes.js'
import type { Config } from './config/schema.js'
import type { BodyLimits } from './http/body-limits.js'
import { logChange, ProblemLog } from './telemetry/gateway-log.js'
import type { Logger } from './telemetry/logging.js'
import type { Variants } from './variants/variants.js'

export interface ServedTargetsOptions {
  readonly logger: Logger
  readonly federation: Federation
  readonly registry: Registry
  readonly variants: Variants
  readonly attributes: Attributes
  readonly bodyLimits: BodyLimits
  readonly insight: Insight
  /** They may be others now. */
  readonly onChange: () => void
}

export class ServedTargets {
  readonly #options: ServedTargetsOptions
  readonly #problemLog: ProblemLog
  #config: Config
  #found = EMPTY_SNAPSHOT

  /** Nothing is served before `apply`. */
  constructor(config: Config, options: ServedTargetsOptions) {
    this.#config = config
    this.#options = options
    this.#problemLog = new ProblemLog(options.logger)
  }

  /** As it was applied last. */
  get config(): Config {
    return this.#config
  }

  /** What is wrong with things that were discovered, and not served for it. */
  get problems(): readonly Problem[] {
    return this.#found.problems
  }

  /** Takes over what is written. */
  apply(config: Config): void {
    this.#config = config
    this.#serve()
  }

  /** Takes over what was found. */
  readonly applyFound = (snapshot: Snapshot): void => {
    this.#found = snapshot
    this.#problemLog.update(snapshot.problems)
    this.#serve()
  }

  #serve(): void {
    const { federation, attributes, bodyLimits, variants, registry, logger, insight } =
      this.#options
    const { approvals, targets: own, attributes: written, variations } = this.#config
    federation.approve(approvals)
    const names = new Set(own.map((it) => it.name))
    // What was found under a name that has just been written is on its way out.
    const targets = [...own, ...this.#found.targets.filter((it) => !names.has(it.name))]
    attributes.update({ attributes: written, targets })
    bodyLimits.update(targets)
    const isChosenAnew = variants.update(variations, targets)
    const change = registry.apply(targets)
    logChange(logger, change)
    for (const id of change.removed) insight.onRemoved(id)
    federation.update(this.#config.federation, targets.map(idOf), this.#found.groups)
    if (isChosenAnew) federation.choicesChanged()
    this.#options.onChange()
  }
}
