/**
 * What could come of a rule while only some of what it reads is known: its parts are looked at one by one, and those that
 * read what is not known may be anything. A part that stands twice is taken for two, so more may seem possible than is;
 * what is not possible here is not possible at all.
 */
import type { ASTNode } from '@marcbachmann/cel-js'
import { serialize } from '@marcbachmann/cel-js'
import { receiverOf } from './rule-cost.js'
import { isNode, outcomeOf, parseRule, pathOf, walk } from './rules.js'

/** A set of outcomes. */
export type Outcomes = number
export const TRUE = 1
export const FALSE = 2
/** It cannot be told: what the rule asks about is not there, or is of another kind. */
export const FAILS = 4
const ANY = TRUE | FALSE | FAILS

/** A part that compares what is at a path with words: `path == "word"`, `path != "word"` or `path in ["word", …]`. */
export interface Comparison {
  readonly path: string
  readonly words: readonly string[]
}

export interface Possibilities {
  of(input: object): Outcomes
  /** What comes of it whatever the input; `undefined` where that matters. */
  readonly always: Outcomes | undefined
}

export interface Knowledge {
  /** Whether the input has what is at this path. */
  isKnown(path: string): boolean
  /** What is known of a comparison without any input. */
  outcomeOf?(comparison: Comparison): Outcomes | undefined
}

export function compilePossibilities(text: string, knowledge: Knowledge): Possibilities {
  return compile(parseRule(text).ast, knowledge, boundIn(text))
}

/** Every comparison with words that a rule makes. */
export function comparisonsIn(text: string): readonly Comparison[] {
  const found: Comparison[] = []
  walk(parseRule(text).ast, (node) => {
    const comparison = comparisonOf(node)
    if (comparison !== undefined) found.push(comparison)
  })
  return found
}

function compile(node: ASTNode, knowledge: Knowledge, bound: ReadonlySet<string>): Possibilities {
  const inner = (it: ASTNode): Possibilities => compile(it, knowledge, bound)
  switch (node.op) {
    case '&&':
      return both(inner(node.args[0]), inner(node.args[1]), and)
    case '||':
      return both(inner(node.args[0]), inner(node.args[1]), (a, b) => not(and(not(a), not(b))))
    case '!_': {
      const it = inner(node.args)
      return it.always === undefined
        ? changing((input) => not(it.of(input)))
        : fixed(not(it.always))
    }
    case '?:': {
      const [condition, yes, no] = node.args.map(inner) as [
        Possibilities,
        Possibilities,
        Possibilities,
      ]
      return both(
        condition,
        both(yes, no, (a, b) => a | (b << SHIFT)),
        choose,
      )
    }
    default:
      return part(node, knowledge, bound)
  }
}

/** Two sets in one number. */
const SHIFT = 3

function choose(condition: Outcomes, branches: number): Outcomes {
  return (
    (condition & TRUE ? branches & ANY : 0) |
    (condition & FALSE ? branches >> SHIFT : 0) |
    (condition & FAILS)
  )
}

/** False wins over what cannot be told, in CEL. */
function and(a: Outcomes, b: Outcomes): Outcomes {
  const isFalse = (a | b) & FALSE
  const isTrue = a & b & TRUE
  const fails =
    ((a & FAILS) !== 0 && (b & (TRUE | FAILS)) !== 0) || ((b & FAILS) !== 0 && (a & TRUE) !== 0)
  return isFalse | isTrue | (fails ? FAILS : 0)
}

function not(it: Outcomes): Outcomes {
  return (it & TRUE ? FALSE : 0) | (it & FALSE ? TRUE : 0) | (it & FAILS)
}

function both(
  a: Possibilities,
  b: Possibilities,
  join: (a: Outcomes, b: Outcomes) => number,
): Possibilities {
  if (a.always !== undefined && b.always !== undefined) return fixed(join(a.always, b.always))
  return changing((input) => join(a.of(input), b.of(input)))
}

function fixed(outcomes: Outcomes): Possibilities {
  return { always: outcomes, of: () => outcomes }
}

function changing(of: (input: object) => Outcomes): Possibilities {
  return { always: undefined, of }
}

/** What is no connective. */
function part(node: ASTNode, knowledge: Knowledge, bound: ReadonlySet<string>): Possibilities {
  const comparison = comparisonOf(node)
  const said = comparison && knowledge.outcomeOf?.(comparison)
  if (said !== undefined) return fixed(node.op === '!=' ? not(said) : said)
  const paths = [...longestPaths(node)].filter((path) => !bound.has(path.split('.', 1)[0] ?? ''))
  const isKnown = paths.every((path) => knowledge.isKnown(path))
  // What servers write may be long, and this is no decision for which that is metered.
  if (!isKnown || goesThroughLists(node)) return fixed(ANY)
  // Most rules compare names, and there may be many of both.
  if (comparison !== undefined) return changing(comparing(comparison, node.op === '!='))
  const evaluate = parseRule(serialize(node))
  const of = (input: object): Outcomes => {
    const { canBeTrue, canBeFalse } = outcomeOf(() => evaluate(input))
    if (canBeTrue) return TRUE
    return canBeFalse ? FALSE : FAILS
  }
  return paths.length === 0 ? fixed(of({})) : changing(of)
}

function goesThroughLists(whole: ASTNode): boolean {
  let found = false
  walk(whole, (node) => (found ||= receiverOf(node) !== undefined))
  return found
}

function comparing({ path, words }: Comparison, isNegated: boolean): (input: object) => Outcomes {
  const steps = path.split('.')
  const known: ReadonlySet<unknown> = new Set(words)
  return (input) => {
    let value: unknown = input
    for (const step of steps) {
      const isObject = typeof value === 'object' && value !== null && Object.hasOwn(value, step)
      if (!isObject) return FAILS
      value = (value as Record<string, unknown>)[step]
    }
    return known.has(value) === isNegated ? FALSE : TRUE
  }
}

function comparisonOf(node: ASTNode): Comparison | undefined {
  if (node.op === '==' || node.op === '!=') {
    const [left, right] = node.args
    const path = pathOf(left) ?? pathOf(right)
    const word = wordOf(left) ?? wordOf(right)
    return path === undefined || word === undefined ? undefined : { path, words: [word] }
  }
  if (node.op !== 'in') return undefined
  const [value, list] = node.args
  const path = pathOf(value)
  if (path === undefined || list.op !== 'list') return undefined
  const words = list.args.flatMap((it) => wordOf(it) ?? [])
  return words.length === list.args.length ? { path, words } : undefined
}

function wordOf({ op, args }: ASTNode): string | undefined {
  return op === 'value' && typeof args === 'string' ? args : undefined
}

/** The paths of members that an expression reads, each to its end. */
function longestPaths(node: unknown, paths = new Set<string>()): ReadonlySet<string> {
  if (Array.isArray(node)) {
    for (const it of node) longestPaths(it, paths)
  } else if (isNode(node)) {
    const path = pathOf(node)
    if (path === undefined) longestPaths(node.args, paths)
    else paths.add(path)
  }
  return paths
}

/** The names that macros give to what they go through, such as `it` in `list.exists(it, it == 1)`; none that hides another. */
function boundIn(text: string): ReadonlySet<string> {
  const names = new Set<string>()
  walk(parseRule(text).ast, ({ op, args }) => {
    if (op !== 'rcall' || !Array.isArray(args[2]) || args[2].length < 2) return
    const [variable] = args[2]
    if (variable?.op === 'id' && !parseRule(variable.args).check().valid) names.add(variable.args)
  })
  return names
}
