/**
 * How rules and the tools that there are fit together: rules that name tools and fit none, scopes of no tool, and tools that
 * no rule allows to anybody. Who asks, and with which arguments, is not known here: rules are taken for what they could come to.
 */
import { setImmediate as turn } from 'node:timers/promises'
import type { OfferedTools, PermitItem } from '../../federation/index.js'
import { globPattern, matches } from '../../federation/index.js'
import type { AuthorizationSettings } from './policy.js'
import { EFFECTS } from './policy.js'
import type { Outcomes, Possibilities } from './possible-outcomes.js'
import { comparisonsIn, compilePossibilities, FAILS, FALSE, TRUE } from './possible-outcomes.js'
import { compileRule, parseRule, pathsIn } from './rules.js'

export interface Reach {
  /** Rules that name tools of which there is none, as `effect: text`. */
  readonly idleRules: readonly string[]
  /** Globs of `toolScopes` that fit no tool. */
  readonly idleScopes: readonly string[]
  /** Tools that nobody may call: there are rules that allow, and none of them could ever be about these. */
  readonly unreachable: readonly string[]
}

const NAME = 'mcp.tool.name'
const TARGET = 'mcp.tool.target'
const EXPOSED_NAME = 'mcp.tool.exposedName'
const NAMES: readonly string[] = [NAME, TARGET, EXPOSED_NAME]
const ANNOTATIONS = 'mcp.tool.annotations'

const NOTHING: Reach = { idleRules: [], idleScopes: [], unreachable: [] }

/** Looks at every rule and every tool; that may take a while, in which other work has its turns. */
export async function reachOf(
  settings: AuthorizationSettings,
  offers: () => OfferedTools,
): Promise<Reach> {
  if (settings.rules.length === 0 && Object.keys(settings.toolScopes).length === 0) return NOTHING
  const { tools, unknown } = offers()
  // Where nothing is served yet, nothing can fit.
  if (tools.length === 0) return NOTHING
  const offered: Offered = {
    tools: tools.map((tool) => ({ mcp: { tool } })),
    unknown,
  }
  const pace = new Pace()
  const examined = examinedRules(settings)
  const idleRules: string[] = []
  for (const rule of examined) {
    if (rule.namesTools && (await rule.isIdle(offered, pace))) idleRules.push(rule.label)
  }
  const idleScopes: string[] = []
  // Those of whom nothing is known may have the tools that are meant.
  for (const glob of offered.unknown.length === 0 ? Object.keys(settings.toolScopes) : []) {
    if (await fitsNone(glob, offered, pace)) idleScopes.push(glob)
  }
  const allowing = examined.filter((it) => it.effect === 'allow')
  const unreachable: string[] = []
  for (const seen of allowing.length === 0 ? [] : offered.tools) {
    let isReached = false
    for (const rule of allowing) {
      if (pace.isLong()) await turn()
      isReached = rule.concernsTools && (rule.outcomesOf(seen) & TRUE) !== 0
      if (isReached) break
    }
    if (!isReached) unreachable.push(seen.mcp.tool.exposedName)
  }
  return { idleRules, idleScopes, unreachable }
}

/** A tool as rules see it. */
interface Seen {
  readonly mcp: { readonly tool: PermitItem }
}

interface Offered {
  readonly tools: readonly Seen[]
  readonly unknown: OfferedTools['unknown']
}

const examinations = new WeakMap<AuthorizationSettings, readonly ExaminedRule[]>()

/** Catalogs change more often than rules. */
function examinedRules(settings: AuthorizationSettings): readonly ExaminedRule[] {
  const before = examinations.get(settings)
  if (before !== undefined) return before
  const examined = settings.rules.flatMap((written) =>
    EFFECTS.flatMap((effect) => {
      const text = written[effect]
      return text === undefined ? [] : [new ExaminedRule(effect, text)]
    }),
  )
  examinations.set(settings, examined)
  return examined
}

async function fitsNone(glob: string, { tools }: Offered, pace: Pace): Promise<boolean> {
  const pattern = globPattern(glob)
  for (const { mcp } of tools) {
    if (pace.isLong()) await turn()
    if (matches(pattern, mcp.tool.exposedName)) return false
  }
  return true
}

class ExaminedRule {
  readonly effect: (typeof EFFECTS)[number]
  readonly label: string
  readonly concernsTools: boolean
  /** Whether it speaks of tools by name, and of nothing else: resources need be in no list. */
  readonly namesTools: boolean
  readonly #text: string
  readonly #ofTool: Possibilities
  #ofTarget: Possibilities | undefined

  constructor(effect: (typeof EFFECTS)[number], text: string) {
    const paths = pathsIn(parseRule(text).ast)
    this.effect = effect
    this.label = `${effect}: ${text}`
    this.concernsTools = compileRule(text).concerns('tool')
    this.namesTools =
      NAMES.some((it) => paths.has(it)) && !paths.has('mcp.prompt') && !paths.has('mcp.resource')
    this.#text = text
    this.#ofTool = compilePossibilities(text, {
      isKnown: (path) =>
        NAMES.includes(path) || path === ANNOTATIONS || path.startsWith(`${ANNOTATIONS}.`),
    })
  }

  outcomesOf(seen: Seen): Outcomes {
    return this.#ofTool.of(seen)
  }

  /** Whether it is about no tool that there is, or may be at a target that has not been heard yet. */
  async isIdle({ tools, unknown }: Offered, pace: Pace): Promise<boolean> {
    let all: Outcomes = 0
    for (const { name } of unknown) {
      this.#ofTarget ??= compilePossibilities(this.#text, { isKnown: (path) => path === TARGET })
      all |= this.#ofTarget.of({ mcp: { tool: { target: name } } })
      if (this.#isAbout(all)) return false
    }
    for (const seen of tools) {
      if (pace.isLong()) await turn()
      all |= this.outcomesOf(seen)
      if (this.#isAbout(all)) return false
    }
    // What has to be true of all tools, and is, may name one that somebody thinks there is.
    const isAlwaysTrue = this.effect === 'require' && (all & TRUE) !== 0
    return !isAlwaysTrue || this.#namesAbsent(tools, unknown)
  }

  #isAbout(outcomes: Outcomes): boolean {
    switch (this.effect) {
      case 'allow':
        return (outcomes & TRUE) !== 0
      case 'deny':
        return (outcomes & (TRUE | FAILS)) !== 0
      case 'require':
        return (outcomes & TRUE) !== 0 && (outcomes & (FALSE | FAILS)) !== 0
    }
  }

  #namesAbsent(tools: Offered['tools'], unknown: Offered['unknown']): boolean {
    const named = comparisonsIn(this.#text).filter(({ path }) => NAMES.includes(path))
    if (named.length === 0 || unknown.length > 0) return false
    const there = tools.map(({ mcp }) => mcp.tool)
    const known: Readonly<Record<string, ReadonlySet<string>>> = {
      [NAME]: new Set(there.map((it) => it.name)),
      [TARGET]: new Set(there.map((it) => it.target)),
      [EXPOSED_NAME]: new Set(there.map((it) => it.exposedName)),
    }
    return named.every(({ path, words }) => !words.some((it) => known[path]?.has(it) === true))
  }
}

/** Keeps turns short. */
class Pace {
  #steps = 0
  #since = performance.now()

  /** Whether others wait for their turn, which they then have. */
  isLong(): boolean {
    this.#steps += 1
    if (this.#steps % 64 !== 0 || performance.now() - this.#since < TURN_MS) return false
    this.#since = performance.now()
    return true
  }
}

const TURN_MS = 5
