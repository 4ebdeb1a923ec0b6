/**
 * Who is served by which of several servers of a target: by rule, else by weight, and the same again for whoever comes again.
 * A variant whose calls fail too often is given up here, and its callers return to the first.
 */
import { randomUUID } from 'node:crypto'
import type { BackendId, RawObject, Target, TargetName, Variation } from '../../backends/index.js'
import {
  CallCancelledError,
  ErrorCode,
  idOf,
  isBackendError,
  JsonRpcError,
} from '../../backends/index.js'
import type { Choice } from '../../federation/index.js'
import type { AttributesOf } from '../auth/policy.js'
import type { Asker } from '../auth/rule-input.js'
import type { Rule } from '../auth/rules.js'
import type { Session } from '../session/session.js'
import { ErrorRate } from './error-rate.js'
import type { Facts } from './when.js'
import { compileWhen, holds } from './when.js'
import { weightedChoice } from './weighted.js'

/** A variant that is given up. */
export interface GivenUp {
  /** Milliseconds since the epoch. */
  readonly since: number
  readonly calls: number
  readonly failures: number
}

/** How a variant is, for whoever runs the gateway. */
export interface VariantState {
  readonly target: TargetName
  readonly variant: string
  readonly weight: number
  readonly when: string | undefined
  /** Of late, where that may give it up. */
  readonly counts: { readonly calls: number; readonly failures: number } | undefined
  readonly givenUp: GivenUp | undefined
}

export interface VariantsOptions {
  readonly attributesOf: AttributesOf
  readonly addressOf: (request: Asker['request']) => string
  /** Whether a server can be given callers; one that was never reached cannot. */
  readonly isThere: (id: BackendId) => boolean
  /** A variant was given up, or may serve again. Callers may be served by others from now on. */
  readonly onChange: (state: VariantState) => void
}

interface Plan {
  readonly variation: Variation
  /** The variants as they were written, servers and all: of others nothing is known. */
  readonly text: string
  readonly rules: ReadonlyMap<string, Rule>
  readonly rates: ReadonlyMap<string, ErrorRate>
  readonly givenUp: Map<string, GivenUp>
}

export class Variants {
  readonly #options: VariantsOptions
  #plans: ReadonlyMap<TargetName, Plan> = new Map()
  /** What was chosen for a session holds as long as this is the same. */
  #version = 0

  constructor(options: VariantsOptions) {
    this.#options = options
  }

  /** Takes over what is configured. Returns whether callers may be served by others than before. */
  update(variations: readonly Variation[], targets: readonly Target[]): boolean {
    const before = this.#plans
    this.#plans = new Map(
      variations.map((variation) => {
        const servers = targets.filter(({ name }) => name === variation.target)
        const text = JSON.stringify([variation, servers])
        const known = before.get(variation.target)
        return [variation.target, known?.text === text ? known : planOf(variation, text)]
      }),
    )
    const isSame =
      before.size === this.#plans.size &&
      [...before].every(([target, plan]) => this.#plans.get(target) === plan)
    if (!isSame) this.#version++
    return !isSame
  }

  /** Whether no target has variants: then there is nothing to choose. */
  get isIdle(): boolean {
    return this.#plans.size === 0
  }

  /** For a session that is about to be opened. */
  forOpening(asker: Asker, params: RawObject): Choice | undefined {
    if (this.isIdle) return undefined
    const uid = randomUUID()
    return this.#chosen(asker, 'initialize', params, () => uid)
  }

  /** For a request that stands for itself: the same for the same caller, in every process. */
  forRequest(asker: Asker, method: string, params: RawObject): Choice | undefined {
    if (this.isIdle) return undefined
    const { principal, request } = asker
    const isSomebody = principal.kind !== 'anonymous'
    return this.#chosen(asker, method, params, () =>
      isSomebody ? principal.id : this.#options.addressOf(request),
    )
  }

  /**
   * For a session: as it was chosen when it was opened, unless that variant is gone or given up. One that was opened before
   * a target had variants is served by the first.
   */
  forSession(session: Session, asker: Asker): Choice | undefined {
    if (this.isIdle) return undefined
    const { chosen, seed } = session
    if (chosen.at === this.#version) return chosen.choice
    const next = new Map<TargetName, string>()
    for (const [target, plan] of this.#plans) {
      const before = chosen.choice.get(target) ?? plan.variation.variants[0]?.name ?? ''
      const facts = this.#facts(asker, 'initialize', {}, target)
      const key = (): string => seed.uid
      next.set(target, this.#serves(plan, before) ? before : this.#choose(plan, asker, facts, key))
    }
    // What is there no more may come back.
    for (const [target, variant] of chosen.choice) if (!next.has(target)) next.set(target, variant)
    session.chosen = { at: this.#version, choice: next }
    return next
  }

  /** Counts what comes of a call of a variant. @throws what the call throws */
  readonly counted = async (target: Target, asked: Promise<RawObject>): Promise<RawObject> => {
    const { name, variant = '' } = target
    const plan = this.#plans.get(name)
    const rate = plan?.rates.get(variant)
    const rollback = plan?.variation.rollback
    if (plan === undefined || rate === undefined || rollback === undefined) return asked
    const count = (hasFailed: boolean): void => {
      if (plan.givenUp.has(variant)) return
      rate.add(hasFailed)
      if (hasFailed) this.#judge(plan, variant, rate)
    }
    try {
      const result = await asked
      count(rollback.toolErrors && result.value['isError'] === true)
      return result
    } catch (error) {
      if (!(error instanceof CallCancelledError)) count(isFailure(error))
      throw error
    }
  }

  /** Servers are there, or not, that may not have been before. */
  reconsider(): void {
    this.#version++
  }

  /** Gives a variant callers again, should it be given up. Returns `false` where there is none. */
  restore(id: BackendId): boolean {
    for (const [target, plan] of this.#plans) {
      const { variants } = plan.variation
      const found = variants.find(({ name }) => idOf({ name: target, variant: name }) === id)
      if (found === undefined) continue
      const { name } = found
      if (!plan.givenUp.delete(name)) return true
      plan.rates.get(name)?.clear()
      this.#version++
      this.#tell(plan, name)
      return true
    }
    return false
  }

  /** How all variants are. */
  get states(): readonly VariantState[] {
    return [...this.#plans.values()].flatMap((plan) =>
      plan.variation.variants.map(({ name }) => stateOf(plan, name)),
    )
  }

  #chosen(asker: Asker, method: string, params: RawObject, key: () => string): Choice {
    const choice = new Map<TargetName, string>()
    for (const [target, plan] of this.#plans) {
      const facts = this.#facts(asker, method, params.value, target)
      choice.set(target, this.#choose(plan, asker, facts, key))
    }
    return choice
  }

  #facts(
    asker: Asker,
    method: string,
    params: RawObject['value'],
    target: TargetName,
  ): () => Facts {
    const { attributesOf, addressOf } = this.#options
    return () => ({
      asker,
      address: addressOf(asker.request),
      method,
      attributes: attributesOf(method, params, target),
    })
  }

  #choose(plan: Plan, { request }: Asker, facts: () => Facts, key: () => string): string {
    const { variation, rules } = plan
    const { target, variants, stickyHeader } = variation
    const asked = rules.size === 0 ? undefined : facts()
    const meant = variants.find(({ name }) => {
      const rule = rules.get(name)
      return rule !== undefined && asked !== undefined && holds(rule, asked)
    })
    const header = stickyHeader && request.headers[stickyHeader]
    const stickyKey = typeof header === 'string' && header !== '' ? `header ${header}` : key()
    const chosen = meant ?? weightedChoice(variants, target, stickyKey)
    // Callers of one that cannot serve them return to the first; where that cannot either, to any that is for everybody.
    const others = variants.filter(({ weight }, index) => index === 0 || weight > 0)
    const able = [chosen, ...others].find((it) => it !== undefined && this.#serves(plan, it.name))
    return (able ?? variants[0])?.name ?? ''
  }

  #serves({ variation: { target, variants }, givenUp }: Plan, name: string): boolean {
    const isKnown = variants.some((it) => it.name === name)
    return (
      isKnown && !givenUp.has(name) && this.#options.isThere(idOf({ name: target, variant: name }))
    )
  }

  #judge(plan: Plan, variant: string, rate: ErrorRate): void {
    const { variants, rollback } = plan.variation
    const [first] = variants
    if (rollback === undefined || first === undefined || first.name === variant) return
    if (!this.#serves(plan, first.name)) return
    const { calls, failures } = rate.counts()
    if (calls < rollback.minCalls || failures / calls <= rollback.errorRate) return
    plan.givenUp.set(variant, { since: Date.now(), calls, failures })
    this.#version++
    this.#tell(plan, variant)
  }

  #tell(plan: Plan, variant: string): void {
    this.#options.onChange(stateOf(plan, variant))
  }
}

function planOf(variation: Variation, text: string): Plan {
  const { variants, rollback } = variation
  return {
    variation,
    text,
    rules: new Map(
      variants.flatMap(({ name, when }) => (when === undefined ? [] : [[name, compileWhen(when)]])),
    ),
    rates: new Map(
      rollback === undefined
        ? []
        : variants.map(({ name }) => [name, new ErrorRate(rollback.intervalMs)]),
    ),
    givenUp: new Map(),
  }
}

function stateOf({ variation, rates, givenUp }: Plan, variant: string): VariantState {
  const written = variation.variants.find(({ name }) => name === variant)
  return {
    target: variation.target,
    variant,
    weight: written?.weight ?? 0,
    when: written?.when,
    counts: rates.get(variant)?.counts(),
    givenUp: givenUp.get(variant),
  }
}

/** What kept a server from answering, or the server's own word that it broke; other errors of its are answers. */
function isFailure(error: unknown): boolean {
  return error instanceof JsonRpcError
    ? error.rpcCode === ErrorCode.InternalError
    : isBackendError(error)
}
