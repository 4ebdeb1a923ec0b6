/** What rules may cost: they are short, but clients and servers choose what they go through. */
import { describe, expect, it } from 'vitest'
import type { JsonObject } from '../../../backends/index.js'
import { beginMetering } from '../../../src/auth/rule-cost.js'
import type { Outcome, RuleInput } from '../../../src/auth/rules.js'
import { compileRule } from '../../../src/auth/rules.js'

const LIST = 'mcp.tool.arguments.list'
const TEXT = 'mcp.tool.arguments.text'
const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

const ITEM = { name: '', target: '', exposedName: '' }
function inputOf(given: JsonObject): RuleInput {
  return {
    mcp: {
      method: 'tools/call',
      phase: 'call',
      client: { name: '', version: '' },
      attributes: {},
      tool: { ...ITEM, arguments: given, annotations: {} },
      prompt: { ...ITEM, arguments: {} },
      resource: ITEM,
    },
    principal: { kind: '', name: '', subject: '', issuer: '' },
    jwt: {},
    apiKey: {},
    certificate: {},
    request: { headers: {} },
    source: { address: '' },
  }
}

function decide(text: string, given: JsonObject): { outcome: Outcome; ms: number } {
  const rule = compileRule(text)
  const input = inputOf(given)
  const startedAt = performance.now()
  beginMetering()
  const outcome = rule.decide(input)
  return { outcome, ms: performance.now() - startedAt }
}

const TRUE = { canBeTrue: true, canBeFalse: false }
const FALSE = { canBeTrue: false, canBeFalse: true }
const NOT_TOLD = { canBeTrue: false, canBeFalse: false }

describe('a rule that goes through what a client sent', () => {
  it.each([
    [`${LIST}.exists(x, ${LIST}.exists(y, ${LIST}.exists(z, x + y + z == -1)))`],
    [`${LIST}.all(x, ${LIST}.all(y, ${LIST}.all(z, x + y + z > -1)))`],
    [`${LIST}.map(x, ${LIST}.map(y, ${LIST}.map(z, z))).size() == 1`],
    [
      `${LIST}.filter(x, ${LIST}.filter(y, ${LIST}.filter(z, z == -1.0).size() == 1).size() == 1) == []`,
    ],
    [`${LIST}.exists_one(x, ${LIST}.exists_one(y, ${LIST}.exists_one(z, z == -1.0)))`],
    [`[1, 2].exists(w, ${LIST}.exists(x, ${LIST}.exists(y, ${LIST}.exists(z, x + y == -1))))`],
    [`cel.bind(it, ${LIST}, it.exists(x, it.exists(y, it.exists(z, x + y + z == -1))))`],
    [`${TEXT}.split("a").exists(x, ${TEXT}.split("a").exists(y, x != y))`],
    [`${LIST}.exists(x, ${TEXT}.contains("aaaaaaab"))`],
    [
      'mcp.tool.arguments.exists(x, mcp.tool.arguments.many.exists(y, mcp.tool.arguments.many.exists(z, x == y + z)))',
    ],
  ])('gives up on %s, however much there is', (text) => {
    const many = Object.fromEntries(numbers(10_000).map((it) => [`k${it}`, it]))
    const few = { list: [1, 2], text: 'aba', many: { a: 'b' } }
    expect(decide(text, few).outcome).not.toEqual(NOT_TOLD)
    const { outcome, ms } = decide(text, { list: numbers(10_000), text: 'a'.repeat(200_000), many })
    expect(outcome).toEqual(NOT_TOLD)
    // A thousand years without a meter; the rest is room for a machine that does other things too.
    expect(ms).toBeLessThan(1_000)
  })

  it.each([
    [`${LIST}.exists(x, x == 9999.0)`, TRUE],
    [`${LIST}.all(x, x < 9999.0)`, FALSE],
    [`( ${LIST} ).filter(x, x > 1.0).map(x, x + 1.0).exists(x, x == 4.0)`, TRUE],
    [`(true ? ${LIST} : [1.0]).exists(x, [1.0, 2.0].exists(y, x == y))`, TRUE],
    ['mcp.tool.arguments.map.exists(key, mcp.tool.arguments.map[key] == "b")', TRUE],
    [`${TEXT}.split(",").exists(x, x == "c") && ${TEXT}.matches("^[a-c,]+$")`, TRUE],
    [`${TEXT}.exists(x, x == "c")`, NOT_TOLD],
  ])('tells what %s is of an honest call', (text, expected) => {
    const given = { list: numbers(10_000), text: 'a,b,c', map: { a: 'b' } }
    expect(decide(text, given).outcome).toEqual(expected)
  })

  it('matches texts of honest length alone', () => {
    const rule = `${TEXT}.matches("^(a+)+$")`
    expect(decide(rule, { text: 'a'.repeat(65_536) }).outcome).toEqual(TRUE)
    expect(decide(rule, { text: 'a'.repeat(65_537) }).outcome).toEqual(NOT_TOLD)
  })

  it('cannot name what meters it', () => {
    expect(() => compileRule('metered(jwt.groups) == []')).toThrow(/metered/)
  })
})
