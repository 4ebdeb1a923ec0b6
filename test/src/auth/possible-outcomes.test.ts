/** What could come of a rule while not all that it reads is known: never less than what does come of it. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compilePossibilities, FAILS, FALSE, TRUE } from '../../../src/auth/possible-outcomes.js'
import { outcomeOf, parseRule } from '../../../src/auth/rules.js'

const NAME = 'mcp.tool.name'
const isKnown = (path: string) => path === NAME || path.startsWith('mcp.tool.annotations')
const tool = { name: 'read', annotations: { readOnlyHint: true } }

function wordsFor(outcomes: number): string {
  return [
    [TRUE, 'true'],
    [FALSE, 'false'],
    [FAILS, 'fails'],
  ]
    .flatMap(([bit, word]) => ((outcomes & Number(bit)) === 0 ? [] : [word]))
    .join(' ')
}

describe('what could come of a rule', () => {
  it.each([
    ['mcp.tool.name == "read"', 'true'],
    ['"read" != mcp.tool.name', 'false'],
    ['mcp.tool.name in ["write", "drop"]', 'false'],
    ['mcp.tool.name in []', 'false'],
    ['mcp.tool.name.matches("^re")', 'true'],
    ['jwt.role == "admin"', 'true false fails'],
    ['mcp.tool.name == "drop" && jwt.role == "admin"', 'false'],
    ['mcp.tool.name == "drop" || jwt.role == "admin"', 'true false fails'],
    ['mcp.tool.name == "read" || jwt.role == "admin"', 'true'],
    ['!(mcp.tool.name == "drop" && jwt.role == "admin")', 'true'],
    ['mcp.tool.name == "drop" ? jwt.a == 1 : mcp.tool.name == "read"', 'true'],
    ['jwt.a == 1 ? mcp.tool.name == "read" : mcp.tool.name == "x"', 'true false fails'],
    ['mcp.tool.annotations.readOnlyHint', 'true'],
    ['mcp.tool.annotations.none == 1', 'fails'],
    ['mcp.tool.annotations.none == 1 && mcp.tool.name == "drop"', 'false'],
    ['mcp.tool.annotations["readOnlyHint"] == true', 'true'],
    ['has(mcp.tool.annotations.readOnlyHint) && jwt.a == 1', 'true false fails'],
    ['["read"].exists(it, it == mcp.tool.name)', 'true'],
    ['["x"].exists(it, it == mcp.tool.name) && jwt.a == 1', 'false'],
    ['["x"].exists(jwt, jwt == mcp.tool.name)', 'true false fails'],
    ['mcp.tool.annotations.tags.exists(it, it == "a")', 'true false fails'],
    ['mcp["tool"]["name"] == "drop"', 'true false fails'],
    ['mcp.tool.name == jwt.tool', 'true false fails'],
    ['1 == 2 && jwt.a == 1', 'false'],
  ])('%s: %s', (text, expected) => {
    const possible = compilePossibilities(text, { isKnown }).of({ mcp: { tool } })
    expect(wordsFor(possible)).toBe(expected)
  })

  it('holds what does come of it, whatever is not known', () => {
    const part = fc.constantFrom(
      'true',
      'mcp.tool.name == "read"',
      'mcp.tool.name in ["read", "write"]',
      'mcp.tool.annotations.readOnlyHint == true',
      'jwt.a == 1.0',
      'jwt.b',
      '["a", "read"].exists(it, it == mcp.tool.name)',
    )
    const { rule } = fc.letrec<{ rule: string }>((tie) => ({
      rule: fc.oneof(
        { maxDepth: 4 },
        part,
        tie('rule').map((it) => `!(${it})`),
        fc
          .tuple(tie('rule'), fc.constantFrom('&&', '||'), tie('rule'))
          .map(([a, op, b]) => `(${a}) ${op} (${b})`),
        fc
          .tuple(tie('rule'), tie('rule'), tie('rule'))
          .map(([a, b, c]) => `(${a}) ? (${b}) : (${c})`),
      ),
    }))
    const known = fc.record({
      name: fc.constantFrom('read', 'write', 'drop'),
      annotations: fc.constantFrom({}, { readOnlyHint: true }, { readOnlyHint: 'x' }),
    })
    const jwt = fc.constantFrom({}, { a: 1 }, { a: 2, b: true }, { b: false }, { b: 'x' })
    fc.assert(
      fc.property(rule, known, jwt, (text, item, claims) => {
        if (!parseRule(text).check().valid) return
        const possible = compilePossibilities(text, { isKnown }).of({ mcp: { tool: item } })
        const { canBeTrue, canBeFalse } = outcomeOf(() =>
          parseRule(text)({ mcp: { tool: item }, jwt: claims }),
        )
        const actual = canBeTrue ? TRUE : canBeFalse ? FALSE : FAILS
        expect(wordsFor(possible)).toContain(wordsFor(actual))
      }),
      { numRuns: 2_000 },
    )
  })
})
