/** Rules that say whom a variant serves: the rules of `authorization`, about callers alone. */
import type { JsonObject } from '../../backends/index.js'
import { beginMetering } from '../auth/rule-cost.js'
import type { Asker } from '../auth/rule-input.js'
import { inputOf } from '../auth/rule-input.js'
import type { Rule, RuleInput } from '../auth/rules.js'
import { compileRule, parseRule, pathsIn } from '../auth/rules.js'

/** What nobody knows before it is known who serves the caller. */
const LATER = /^mcp\.(tool|prompt|resource|phase)$/

/** What is known of a request when its variants are chosen. */
export interface Facts {
  readonly asker: Asker
  readonly address: string
  readonly method: string
  readonly attributes: JsonObject
}

/** Why a text is no such rule; `undefined` where it is one. `attributes` are the names that there are. */
export function faultOfWhen(text: string, attributes: ReadonlySet<string>): string | undefined {
  try {
    const rule = compileWhen(text)
    const unknown = rule.attributes.find((it) => !attributes.has(it))
    if (unknown === undefined) return undefined
    return `not a rule: there is no attribute ${JSON.stringify(unknown)}; "attributes" names it`
  } catch (error) {
    const [message = ''] = error instanceof Error ? error.message.split('\n', 1) : []
    return `not a rule: ${message}`
  }
}

/** @throws Error, with what is wrong in words */
export function compileWhen(text: string): Rule {
  const rule = compileRule(text)
  const later = [...pathsIn(parseRule(text).ast)].find((path) => LATER.test(path))
  if (later === undefined) return rule
  throw new Error(`"${later}" is not known yet when a variant is chosen`)
}

/** Whether it is true; what cannot be told is not. */
export function holds(rule: Rule, facts: Facts): boolean {
  beginMetering()
  return rule.decide(ruleInput(facts)).canBeTrue
}

function ruleInput({ asker, address, method, attributes }: Facts): RuleInput {
  const base = inputOf(asker, address)
  return { ...base, mcp: { ...base.mcp, method, attributes, phase: 'call' } }
}
