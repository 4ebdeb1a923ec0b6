/**
 * Rules together: any deny that is true or cannot be told denies, every require must be true, then any allow that is true
 * allows; without allow rules everything else is allowed.
 */
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { z } from 'zod'
import type { JsonObject } from '../../backends/index.js'
import { isJsonObject } from '../../backends/index.js'
import type { Permit, PermitItem } from '../../federation/index.js'
import type { Principal } from './principal.js'
import { beginMetering } from './rule-cost.js'
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

/** Who asks, and how. */
export interface Asker {
  readonly principal: Principal
  readonly request: IncomingMessage
  readonly client: { readonly name: string; readonly version: string }
}

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

const NO_ITEM = { name: '', target: '', exposedName: '' }

export class Policy {
  #rules: readonly PolicyRule[]
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
    this.#attributesOf = attributesOf
    this.#onDenied = onDenied
  }

  /** What holds from now on, for permits that were given before too. */
  update(settings: AuthorizationSettings): void {
    this.#rules = compiled(settings)
    this.#version += 1
  }

  /** What this caller, at this address, may do; `undefined` where nothing is forbidden to anybody. */
  permitFor(asker: Asker, address = ''): Permit | undefined {
    if (this.#rules.length === 0) return undefined
    const { principal, client } = asker
    // A call needs no key, and a list that is known already no more than that.
    let base: RuleInput | undefined
    const input = (): RuleInput => (base ??= inputOf(asker, address))
    const key = (): string => {
      const looksFurther = this.#rules.some(({ rule }) => rule.readsRequest)
      const { request, source, mcp } = input()
      const how = looksFurther ? digest([request, source, mcp.client]) : ''
      return `${this.#version} ${keyOf(principal)} ${how}`
    }
    return {
      get key() {
        return key()
      },
      shows: (item) => this.#decide(item, inList(input(), item)).isAllowed,
      allows: (item, method, params) => {
        const called = this.#inCall(input(), item, method, params)
        const { isAllowed, by } = this.#decide(item, called)
        if (!isAllowed) {
          const { attributes } = called.mcp
          const rule = by && `${by.effect}: ${by.rule.text}`
          this.#onDenied({ principal, item, method, attributes, client, address, rule })
        }
        return isAllowed
      },
      would: (item, method, params) =>
        this.#decide(item, this.#inCall(input(), item, method, params)).isAllowed,
    }
  }

  /** What each rule says of a call, and what comes of all of them. */
  explain(asker: Asker, item: PermitItem, method: string, params: JsonObject): Explanation {
    const base = inputOf(asker, '')
    const called = this.#inCall(base, item, method, params)
    const { isAllowed: isShown } = this.#decide(item, inList(base, item))
    const { isAllowed } = this.#decide(item, called)
    beginMetering()
    return {
      isShown,
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

  #decide({ kind }: PermitItem, input: RuleInput): Decision {
    let hasAllow = false
    let isAllowed = false
    beginMetering()
    for (const it of this.#rules) {
      const { effect, rule } = it
      if (effect === 'allow') hasAllow = true
      if (!rule.concerns(kind) || (effect === 'allow' && isAllowed)) continue
      const { canBeTrue, canBeFalse } = rule.decide(input)
      if (effect === 'allow') isAllowed = canBeTrue
      else if (effect === 'deny' ? !canBeFalse : !canBeTrue) return { isAllowed: false, by: it }
    }
    return { isAllowed: isAllowed || !hasAllow }
  }
}

function nameOf({ canBeTrue, canBeFalse }: Outcome): string {
  if (canBeTrue) return 'true'
  return canBeFalse ? 'false' : 'cannot be told'
}

function inputOf({ principal, request, client }: Asker, address: string): RuleInput {
  const { kind, name, claims } = principal
  const isToken = kind === 'jwt'
  const headers = Object.entries(request.headers).flatMap(([key, value]) =>
    // What is shown to get in is nobody's to look at.
    key === 'authorization' || key === 'x-api-key' || key === 'cookie' || value === undefined
      ? []
      : [[key, String(value)] as const],
  )
  const issuer = isToken ? claims['iss'] : ''
  return {
    mcp: {
      method: '',
      phase: 'list',
      client,
      attributes: {},
      tool: { ...NO_ITEM, arguments: {}, annotations: {} },
      prompt: { ...NO_ITEM, arguments: {} },
      resource: NO_ITEM,
    },
    principal: {
      kind,
      name,
      subject: isToken ? name : '',
      issuer: typeof issuer === 'string' ? issuer : '',
    },
    jwt: isToken ? claims : {},
    apiKey: kind === 'apiKey' ? { ...claims, name } : {},
    certificate: kind === 'certificate' ? claims : {},
    request: { headers: Object.fromEntries(headers) },
    source: { address },
  }
}

function inList(base: RuleInput, item: PermitItem): RuleInput {
  return withItem(base, item, `${item.kind}s/list`, 'list', {}, {})
}

function withItem(
  base: RuleInput,
  { kind, name, exposedName, target, annotations }: PermitItem,
  method: string,
  phase: 'list' | 'call',
  given: JsonObject,
  attributes: JsonObject,
): RuleInput {
  const item = { name, exposedName, target }
  const described =
    kind === 'tool'
      ? { tool: { ...item, arguments: given, annotations } }
      : kind === 'prompt'
        ? { prompt: { ...item, arguments: given } }
        : { resource: item }
  return { ...base, mcp: { ...base.mcp, method, phase, attributes, ...described } }
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
