/**
 * Attributes of requests: members of their params under names of their own. Those of the methods that everybody uses are
 * there without being asked for; a target's go before those of all.
 */
import type { AttributeSettings, JsonObject, JsonValue, Target } from '../../backends/index.js'
import { isJsonObject } from '../../backends/index.js'

/** As they are in logs and labels; longer ones are nothing to be read there. */
const MAX_SHOWN = 256
/** Of one rule; then all are forgotten. */
const MAX_REMEMBERED = 1_000

const named = (method: string, path: string): AttributeSettings => ({
  method,
  path: `params.${path}`,
  as: path.split('.').at(-1) ?? path,
  metric: false,
})

/** What Envoy's MCP filter takes by itself. */
const DEFAULTS: readonly AttributeSettings[] = [
  named('initialize', 'protocolVersion'),
  named('tools/call', 'name'),
  named('prompts/get', 'name'),
  named('resources/read', 'uri'),
  named('resources/subscribe', 'uri'),
  named('resources/unsubscribe', 'uri'),
  named('completion/complete', 'ref.name'),
  named('completion/complete', 'ref.uri'),
  named('logging/setLevel', 'level'),
  named('tasks/get', 'taskId'),
  named('tasks/result', 'taskId'),
  named('tasks/update', 'taskId'),
  named('tasks/cancel', 'taskId'),
]

/** Values that are one word or number, cut to size. */
export type ShownAttributes = Readonly<Record<string, string | number | boolean>>

const NONE: ShownAttributes = {}

export interface AttributesConfig {
  readonly attributes: readonly AttributeSettings[]
  readonly targets: readonly Pick<Target, 'name' | 'attributes'>[]
}

type Rules = ReadonlyMap<string, MethodRules>

interface MethodRules {
  readonly extractions: readonly Extraction[]
  /** What people and metrics read of the values that the only rule found. */
  readonly shown: Map<string, ShownAttributes>
}

interface Extraction {
  readonly as: string
  readonly steps: readonly string[]
}

export class Attributes {
  #common: Rules = new Map()
  #ofTargets: ReadonlyMap<string, Rules> = new Map()
  #metric: readonly string[] = []

  constructor(config: AttributesConfig) {
    this.update(config)
  }

  update({ attributes, targets }: AttributesConfig): void {
    const common = [...DEFAULTS, ...attributes]
    const own = targets.filter((it) => it.attributes.length > 0)
    this.#common = rulesOf(common)
    this.#ofTargets = new Map(
      own.map((it) => [it.name, rulesOf([...common, ...it.attributes])] as const),
    )
    const all = [...attributes, ...own.flatMap((it) => it.attributes)]
    this.#metric = [...new Set(all.flatMap((it) => (it.metric ? [it.as] : [])))]
  }

  /** Those that are labels of metrics. */
  get metric(): readonly string[] {
    return this.#metric
  }

  /** The attributes of a request to this target; what is not there has none. */
  of(method: string, params: JsonObject, target: string): JsonObject {
    return foundIn(params, this.#rulesOf(method, target)?.extractions ?? [])
  }

  /** As people and metrics read them. Of most requests that is the name of a tool, and then one object for all that name it. */
  shownOf(method: string, params: JsonObject, target: string): ShownAttributes {
    const rules = this.#rulesOf(method, target)
    if (rules === undefined) return NONE
    const { extractions, shown } = rules
    const [only, ...others] = extractions
    const value = only === undefined ? undefined : at(params, only.steps)
    if (typeof value !== 'string' || others.length > 0 || value.length > MAX_SHOWN) {
      return shownAttributes(foundIn(params, extractions))
    }
    const known = shown.get(value)
    if (known !== undefined) return known
    if (shown.size >= MAX_REMEMBERED) shown.clear()
    const made = shownAttributes(foundIn(params, extractions))
    shown.set(value, made)
    return made
  }

  #rulesOf(method: string, target: string): MethodRules | undefined {
    return (this.#ofTargets.get(target) ?? this.#common).get(method)
  }
}

/** The names that there can be, for whoever checks rules. */
export function attributeNames({ attributes, targets }: AttributesConfig): ReadonlySet<string> {
  const all = [...DEFAULTS, ...attributes, ...targets.flatMap((it) => it.attributes)]
  return new Set(all.map((it) => it.as))
}

/** As people and metrics read them. */
export function shownAttributes(attributes: JsonObject): ShownAttributes {
  const shown: Record<string, string | number | boolean> = {}
  for (const name in attributes) {
    const value = attributes[name]
    if (typeof value === 'string') shown[name] = value.slice(0, MAX_SHOWN)
    else if (typeof value === 'number' || typeof value === 'boolean') shown[name] = value
  }
  return shown
}

/** By method; of several with one name the last. */
function rulesOf(settings: readonly AttributeSettings[]): Rules {
  const byMethod = new Map<string, Map<string, Extraction>>()
  for (const { method, path, as } of settings) {
    const extractions = byMethod.get(method) ?? new Map<string, Extraction>()
    byMethod.set(method, extractions.set(as, { as, steps: path.split('.').slice(1) }))
  }
  return new Map(
    [...byMethod].map(([method, it]) => [
      method,
      { extractions: [...it.values()], shown: new Map() },
    ]),
  )
}

function foundIn(params: JsonObject, extractions: readonly Extraction[]): JsonObject {
  const found: JsonObject = {}
  for (const { as, steps } of extractions) {
    const value = at(params, steps)
    if (value !== undefined) found[as] = value
  }
  return found
}

function at(params: JsonObject, steps: readonly string[]): JsonValue | undefined {
  let value: JsonValue | undefined = params
  for (const step of steps) {
    if (!isJsonObject(value) || !Object.hasOwn(value, step)) return undefined
    value = value[step]
  }
  return value
}
