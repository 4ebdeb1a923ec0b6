/** What can be said of rules before anything runs: those that decide nothing, and words that are never there. */
import { nearestWord } from '../config/nearest-word.js'
import type { AuthorizationSettings } from './policy.js'
import { EFFECTS } from './policy.js'
import type { Comparison, Outcomes } from './possible-outcomes.js'
import { comparisonsIn, compilePossibilities, FALSE, TRUE } from './possible-outcomes.js'

export interface RuleWarning {
  readonly path: readonly (string | number)[]
  readonly message: string
  /** The same without words of the rule. */
  readonly bareMessage: string
}

type Effect = (typeof EFFECTS)[number]

/** All values that what is at a path can have. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  'mcp.phase': ['list', 'call'],
  'mcp.method': [
    'tools/list',
    'tools/call',
    'prompts/list',
    'prompts/get',
    'resources/list',
    'resources/read',
    'resources/subscribe',
    'resources/unsubscribe',
    'completion/complete',
  ],
  'principal.kind': ['anonymous', 'jwt', 'apiKey', 'certificate'],
}

const TARGET = /^mcp\.(tool|prompt|resource)\.target$/

/** `targets` are the names of all that there can be; `undefined` where more may be found. */
export function ruleWarnings(
  { rules }: AuthorizationSettings,
  targets: readonly string[] | undefined,
): readonly RuleWarning[] {
  return rules.flatMap((written, index) =>
    EFFECTS.flatMap((effect) => {
      const text = written[effect]
      const told = text === undefined ? undefined : warningOf(effect, text, targets)
      return told === undefined
        ? []
        : [{ path: ['authorization', 'rules', index, effect], ...told }]
    }),
  )
}

function warningOf(
  effect: Effect,
  text: string,
  targets: readonly string[] | undefined,
): Omit<RuleWarning, 'path'> | undefined {
  const valuesAt = (path: string): readonly string[] | undefined =>
    TARGET.test(path) ? targets : VALUES[path]
  // A rule that speaks of several kinds finds nothing where it looks at another than it is asked about.
  const isPossible = (word: string, path: string): boolean =>
    valuesAt(path)?.includes(word) !== false || (word === '' && TARGET.test(path))
  const strange = comparisonsIn(text).flatMap(({ path, words }) =>
    words.flatMap((word) => (isPossible(word, path) ? [] : { path, word })),
  )
  const { always } = compilePossibilities(text, {
    isKnown: () => false,
    outcomeOf: ({ path, words }: Comparison) =>
      words.some((word) => isPossible(word, path)) ? undefined : FALSE,
  })
  const verdict = verdictOf(effect, always)
  const [first] = strange
  if (first === undefined) {
    return verdict === undefined ? undefined : { message: verdict, bareMessage: verdict }
  }
  const what = TARGET.test(first.path)
    ? 'names a target that there is not'
    : `${first.path} is never that`
  const details = strange.map(({ path, word }) => {
    const nearest = nearestWord(word, valuesAt(path) ?? [])
    return `"${word}"${nearest === undefined ? '' : ` (did you mean "${nearest}"?)`}`
  })
  const end = verdict === undefined ? '' : `; it ${verdict}`
  return {
    message: `${what}: ${[...new Set(details)].join(', ')}${end}`,
    bareMessage: `${what}${end}`,
  }
}

/** What is wrong with a rule that comes to the same whatever it is asked about. */
function verdictOf(effect: Effect, always: Outcomes | undefined): string | undefined {
  if (always === undefined) return undefined
  const isNeverTrue = (always & TRUE) === 0
  switch (effect) {
    case 'allow':
      return isNeverTrue ? 'is never true, so it allows nothing' : undefined
    case 'deny':
      if (always === FALSE) return 'is never true, so it denies nothing'
      return (always & FALSE) === 0
        ? 'is never false, so it denies all that it concerns'
        : undefined
    case 'require':
      if (isNeverTrue) return 'is never true, so it denies all that it concerns'
      return always === TRUE ? 'is always true, so it denies nothing' : undefined
  }
}
