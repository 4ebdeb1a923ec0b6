/**
 * Rules together: any deny that is true or cannot be told denies, every require must be true, then any allow that is true
 * allows; without allow rules everything else is allowed.
 */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import type { JsonObject } from '../../backends/index.js'
import { isJsonObject } from '../../backends/index.js'
import type { Permit, PermitItem } from '../../federation/index.js'
import type { Principal } from './principal.js'
import { DecisionMemory } from './decision-memory.js'
import { beginMetering } from './rule-cost.js'
import type { Asker } from './rule-input.js'
import { inList, inputOf, withItem } from './rule-input.js'
import type { Outcome, Rule, RuleInput } from './rules.js'
import { compileRule } from './rules.js'
import { toolScopesSchema } from './tool-scopes.js'

const MAX_RULES = 1_000

const ruleText = z
  .string()
  .min(1)
  .max(8_192)
  .superRefine((text, context) => {
    try {
      compileRule(text)
    } catch (error) {
      const [message = ''] = error instanceof Error ? error.message.split('\n', 1) : []
      context.addIssue({ code: 'custom', message: `not a rule: ${message}` })
    }
  })

const ruleSchema = z
  .strictObject({
    allow: ruleText.optional().describe('Allows what it is true of.'),
    deny: ruleText.optional().describe('Denies what it is true of, and what it cannot tell.'),
    require: ruleText.optional().describe('Denies what it is not true of.'),
  })
  .refine((it) => EFFECTS.filter((key) => it[key] !== undefined).length === 1, {
    message: 'expected exactly one of "allow", "deny" and "require"',
  })

export const EFFECTS = ['allow', 'deny', 'require'] as const

interface PolicyRule {
  readonly effect: (typeof EFFECTS)[number]
  readonly rule: Rule
}

function compiled({ rules }: Pick<AuthorizationSettings, 'rules'>): readonly PolicyRule[] {
  return rules.flatMap((written) =>
    EFFECTS.flatMap((effect) => {
      const text = written[effect]
      return text === undefined ? [] : [{ effect, rule: compileRule(text) }]
    }),
  )
}

/** The attributes that a rule speaks of; none of what is no rule, which is reported where it is read. */
export function attributesReadBy(written: z.output<typeof ruleSchema>): readonly string[] {
  try {
    return compiled({ rules: [written] }).flatMap(({ rule }) => rule.attributes)
  } catch {
    return []
  }
}

/** The section `authorization`. */
export const authorizationSchema = z.strictObject({
  toolScopes: toolScopesSchema,
  rules: z
    .array(ruleSchema)
    .max(MAX_RULES)
    .prefault([])
    .describe(
      'Who may use what, in CEL; each with one of `allow`, `deny` and `require`. A rule that speaks of tools concerns tools alone, and so on.',
    ),
})

export type AuthorizationSettings = z.output<typeof authorizationSchema>

export interface Explanation {
  readonly isShown: boolean
  readonly isAllowed: boolean
  readonly rules: readonly {
    readonly effect: string
    readonly text: string
    readonly outcome: string
  }[]
}

export interface Denial {
  readonly principal: Principal
  readonly item: PermitItem
  readonly method: string
  readonly attributes: JsonObject
  /** As it calls itself. */
  readonly client: Asker['client']
  readonly address: string
  /** The rule that denies it, as `deny: …` or `require: …`; `undefined` where no rule allows it. */
  readonly rule: string | undefined
}

/** What comes of all rules; `by` is the rule that decided it alone. */
interface Decision {
  readonly isAllowed: boolean
  readonly by?: PolicyRule
}

/** What a request has of attributes. */
export type AttributesOf = (method: string, params: JsonObject, target: string) => JsonObject

export class Policy {
  readonly #memory = new DecisionMemory<Decision>()
  #rules: readonly PolicyRule[]
  /** Whether any rule looks at more of a request than who sends it. */
  #looksFurther: boolean
  readonly #attributesOf: AttributesOf
  readonly #onDenied: (denial: Denial) => void
  #version = 0

  /** `onDenied` hears of every use that was denied; what is left out of a list is none. */
  constructor(
    settings: AuthorizationSettings,
    attributesOf: AttributesOf,
    onDenied: (denial: Denial) => void,
  ) {
    this.#rules = compiled(settings)
    this.#looksFurther = looksFurther(this.#rules)
    this.#attributesOf = attributesOf
    this.#onDenied = onDenied
  }

  /** What holds from now on, for permits that were given before too. */
  update(settings: AuthorizationSettings): void {
    this.#rules = compiled(settings)
    this.#looksFurther = looksFurther(this.#rules)
    this.#memory.clear()
    this.#version += 1
  }

  /** What this caller, at this address, may do; `undefined` where nothing is forbidden to anybody. */
  permitFor(asker: Asker, address = ''): Permit | undefined {
    return this.#rules.length === 0 ? undefined : new RulePermit(this, asker, address)
  }

  /** Callers of one key may do the same. */
  keyFor({ principal }: Asker, input: () => RuleInput): string {
    let how = ''
    if (this.#looksFurther) {
      const { request, source, mcp } = input()
      how = digest([request, source, mcp.client])
    }
    return `${this.#version} ${keyOf(principal)} ${how}`
  }

  /** What comes of all rules for what stands in a list. */
  decideInList(item: PermitItem, input: RuleInput): boolean {
    return this.#decide(item.kind, (rule) => rule.decide(inList(input, item))).isAllowed
  }

  /** What comes of all rules for a call. Much of it was decided before, for the same of the same. */
  decideCall(
    { principal }: Asker,
    item: PermitItem,
    method: string,
    params: JsonObject,
    input: () => RuleInput,
  ): Decision {
    let called: RuleInput | undefined
    const decideAnew = (rule: Rule): Outcome =>
      rule.decide((called ??= this.#inCall(input(), item, method, params)))
    if (item.kind === 'resource') return this.#decide(item.kind, decideAnew)
    const memo = this.#memory.of(keyOf(principal), item, method)
    if (memo.decision !== undefined) return memo.decision
    let isRepeatable = true
    const decision = this.#decide(item.kind, (rule, index) => {
      if (rule.isRepeatable) return (memo.outcomes[index] ??= decideAnew(rule))
      isRepeatable = false
      return decideAnew(rule)
    })
    if (isRepeatable) memo.decision = decision
    return decision
  }

  /** A use was denied. */
  denied(
    { principal, client }: Asker,
    address: string,
    item: PermitItem,
    method: string,
    params: JsonObject,
    by: PolicyRule | undefined,
  ): void {
    const attributes = this.#attributesOf(method, params, item.target)
    const rule = by && `${by.effect}: ${by.rule.text}`
    this.#onDenied({ principal, item, method, attributes, client, address, rule })
  }

  /** What each rule says of a call, and what comes of all of them. */
  explain(asker: Asker, item: PermitItem, method: string, params: JsonObject): Explanation {
    const base = inputOf(asker, '')
    const called = this.#inCall(base, item, method, params)
    const { isAllowed } = this.#decide(item.kind, (rule) => rule.decide(called))
    beginMetering()
    return {
      isShown: this.decideInList(item, base),
      isAllowed,
      rules: this.#rules.map(({ effect, rule }) => ({
        effect,
        text: rule.text,
        outcome: rule.concerns(item.kind) ? nameOf(rule.decide(called)) : 'concerns other things',
      })),
    }
  }

  #inCall(base: RuleInput, item: PermitItem, method: string, params: JsonObject): RuleInput {
    const { arguments: given } = params
    const attributes = this.#attributesOf(method, params, item.target)
    return withItem(base, item, method, 'call', isJsonObject(given) ? given : {}, attributes)
  }

  #decide(kind: PermitItem['kind'], outcomeOf: (rule: Rule, index: number) => Outcome): Decision {
    let hasAllow = false
    let isAllowed = false
    beginMetering()
    for (const [index, it] of this.#rules.entries()) {
      const { effect, rule } = it
      if (effect === 'allow') hasAllow = true
      if (!rule.concerns(kind) || (effect === 'allow' && isAllowed)) continue
      const { canBeTrue, canBeFalse } = outcomeOf(rule, index)
      if (effect === 'allow') isAllowed = canBeTrue
      else if (effect === 'deny' ? !canBeFalse : !canBeTrue) return { isAllowed: false, by: it }
    }
    return { isAllowed: isAllowed || !hasAllow }
  }
}

/** What rules permit to one caller. What few uses ask for is made when it is asked for. */
class RulePermit implements Permit {
  readonly #policy: Policy
  readonly #asker: Asker
  readonly #address: string
  #made: RuleInput | undefined

  constructor(policy: Policy, asker: Asker, address: string) {
    this.#policy = policy
    this.#asker = asker
    this.#address = address
  }

  readonly #input = (): RuleInput => (this.#made ??= inputOf(this.#asker, this.#address))

  get key(): string {
    return this.#policy.keyFor(this.#asker, this.#input)
  }

  shows(item: PermitItem): boolean {
    return this.#policy.decideInList(item, this.#input())
  }

  allows(item: PermitItem, method: string, params: JsonObject): boolean {
    const { isAllowed, by } = this.#decision(item, method, params)
    if (!isAllowed) {
      this.#policy.denied(this.#asker, this.#address, item, method, params, by)
    }
    return isAllowed
  }

  would(item: PermitItem, method: string, params: JsonObject): boolean {
    return this.#decision(item, method, params).isAllowed
  }

  #decision(item: PermitItem, method: string, params: JsonObject): Decision {
    return this.#policy.decideCall(this.#asker, item, method, params, this.#input)
  }
}

function looksFurther(rules: readonly PolicyRule[]): boolean {
  return rules.some(({ rule }) => rule.readsRequest)
}

function nameOf({ canBeTrue, canBeFalse }: Outcome): string {
  if (canBeTrue) return 'true'
  return canBeFalse ? 'false' : 'cannot be told'
}

const keys = new WeakMap<Principal, string>()

/** The same for principals of whom the same is known. */
function keyOf(principal: Principal): string {
  const known = keys.get(principal) ?? digest([principal.id, principal.claims])
  keys.set(principal, known)
  return known
}

function digest(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 22)
}
