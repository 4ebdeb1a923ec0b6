/**
 * Rules in CEL, compiled and checked when they are loaded: one that names what does not exist is refused, with its
 * place. Regular expressions are those of RE2, whose time is linear in what a client sends; what else can take long is
 * metered (rule-cost.ts).
 */
import type { ASTNode, ParseResult } from '@marcbachmann/cel-js'
import { Environment } from '@marcbachmann/cel-js'
import { LRUCache } from 'lru-cache'
import { RE2JS } from 're2js'
import type { JsonObject } from '../../backends/index.js'
import type { PermitItem } from '../../federation/index.js'
import { MAX_MATCHED, METERED, metered, receiverOf, withMeters } from './rule-cost.js'

type Kind = PermitItem['kind']

/** What rules see. */
export interface RuleInput {
  readonly mcp: {
    readonly method: string
    readonly phase: 'list' | 'call'
    readonly client: { readonly name: string; readonly version: string }
    readonly attributes: JsonObject
    readonly tool: Item & { readonly arguments: JsonObject; readonly annotations: JsonObject }
    readonly prompt: Item & { readonly arguments: JsonObject }
    readonly resource: Item
  }
  readonly principal: {
    readonly kind: string
    readonly name: string
    readonly subject: string
    readonly issuer: string
  }
  readonly jwt: JsonObject
  readonly apiKey: JsonObject
  readonly certificate: JsonObject
  readonly request: { readonly headers: Readonly<Record<string, string>> }
  readonly source: { readonly address: string }
}

interface Item {
  readonly name: string
  readonly target: string
  readonly exposedName: string
}

export interface Rule {
  readonly text: string
  /** Whether it speaks of items of this kind; one that speaks of none concerns them all. */
  concerns(kind: Kind): boolean
  /** Whether it looks at more of a request than who sends it. */
  readonly readsRequest: boolean
  /** Whether it says the same of every call of one thing by one principal. */
  readonly isRepeatable: boolean
  /** The attributes that it names. */
  readonly attributes: readonly string[]
  /**
   * What comes of it. In a list nobody knows what a call would be given, so both may be. Neither is where it cannot be
   * told: what the rule asks about is not there, or is of another kind.
   */
  decide(input: RuleInput): Outcome
}

export interface Outcome {
  readonly canBeTrue: boolean
  readonly canBeFalse: boolean
}

const ITEM = { name: 'string', target: 'string', exposedName: 'string' }
const ANY = 'map<string, dyn>'
const ATTRIBUTES = 'mcp.attributes'

/** Rules are written by people; what is larger than this was not. */
const LIMITS = {
  maxAstNodes: 1_000,
  maxDepth: 32,
  maxListElements: 200,
  maxMapEntries: 50,
  maxCallArguments: 8,
}
/** Room for what is put around parts of a rule that is within those. */
const METERED_LIMITS = { ...LIMITS, maxAstNodes: 2_000, maxDepth: 64 }

const MATCHES = 'matches'
const LINEAR_MATCHES = 'matchesLinearly'
const patterns = new LRUCache<string, RE2JS>({ max: 1_000 })

function newEnvironment(limits: typeof LIMITS): Environment {
  return new Environment({ limits })
    .registerVariable({
      name: 'mcp',
      schema: {
        method: 'string',
        phase: 'string',
        client: { name: 'string', version: 'string' },
        attributes: ANY,
        tool: { ...ITEM, arguments: ANY, annotations: ANY },
        prompt: { ...ITEM, arguments: ANY },
        resource: ITEM,
      },
    })
    .registerVariable({
      name: 'principal',
      schema: { kind: 'string', name: 'string', subject: 'string', issuer: 'string' },
    })
    .registerVariable('jwt', ANY)
    .registerVariable('apiKey', ANY)
    .registerVariable('certificate', ANY)
    .registerVariable({ name: 'request', schema: { headers: 'map<string, string>' } })
    .registerVariable({ name: 'source', schema: { address: 'string' } })
    .registerFunction(`string.${LINEAR_MATCHES}(string): bool`, (text: string, pattern: string) => {
      if (text.length > MAX_MATCHED) throw new Error('the text is too long to be matched')
      const known = patterns.get(pattern) ?? RE2JS.compile(pattern)
      patterns.set(pattern, known)
      return known.matcher(text).find()
    })
}

const environment = newEnvironment(LIMITS)
const meteredEnvironment = withMetering(newEnvironment(METERED_LIMITS))
/** The same with what stands for a part of a rule that reads arguments. */
const listEnvironment = withMetering(newEnvironment(METERED_LIMITS))
/** More of them are not gone through: 64 ways are enough. */
const MAX_PARTS = 6
for (let index = 0; index < MAX_PARTS; index++) {
  listEnvironment.registerVariable(partName(index), 'bool')
}

/** Nothing that rules can name themselves. */
function withMetering(it: Environment): Environment {
  return it.registerFunction(`${METERED}(dyn): dyn`, metered, { async: false })
}

/** @throws Error, with what is wrong in words, for what is no rule */
export function compileRule(text: string): Rule {
  const parsed = environment.parse(text)
  const paths = pathsIn(parsed.ast)
  useLinearMatching(parsed.ast)
  const { valid, type, error } = parsed.check()
  if (!valid) throw new Error(firstLine(error?.message ?? 'not understood'))
  if (type !== 'bool' && type !== 'dyn') {
    throw new Error(`a rule is true or false, not of type ${type}`)
  }
  const kinds = (['tool', 'prompt', 'resource'] as const).filter((kind) => paths.has(`mcp.${kind}`))
  const receivers = receiversIn(parsed.ast)
  const meteredText = withMeters(text, receivers)
  const evaluate = meteredEnvironment.parse(meteredText)
  useLinearMatching(evaluate.ast)
  const inCalls = (input: RuleInput): Outcome => outcomeOf(() => evaluate(input))
  const inLists = readsArguments(paths) ? listDecision(meteredText) : inCalls
  return {
    text,
    concerns: (kind) => kinds.length === 0 || kinds.includes(kind),
    readsRequest: ['request', 'source', 'mcp.client'].some((path) => paths.has(path)),
    // What is metered may be given up for what it costs, which is not the same each time.
    isRepeatable: receivers.length === 0 && readsRepeatedAlone(parsed.ast),
    attributes: [...paths].flatMap((path) => {
      const [, name] = path.split(`${ATTRIBUTES}.`)
      return name === undefined ? [] : name.split('.').slice(0, 1)
    }),
    decide: (input) => (input.mcp.phase === 'list' ? inLists(input) : inCalls(input)),
  }
}

/** What was found to be a rule, or a part of one, as a tree and to be evaluated. */
export function parseRule(text: string): ParseResult {
  const parsed = environment.parse(text)
  useLinearMatching(parsed.ast)
  return parsed
}

/** Goes through what the parts of a rule that read arguments could be. */
function listDecision(text: string): (input: RuleInput) => Outcome {
  const parsed = listEnvironment.parse(text)
  useLinearMatching(parsed.ast)
  const count = replaceParts(parsed.ast, 0)
  const isWhole = isNode(parsed.ast) && !isConnective(parsed.ast)
  if (isWhole || count > MAX_PARTS) return () => ({ canBeTrue: true, canBeFalse: true })
  return (input) => {
    const all = { canBeTrue: false, canBeFalse: false }
    for (let way = 0; way < 2 ** count; way++) {
      const parts = Array.from({ length: count }, (_, index) => [
        partName(index),
        (way & (1 << index)) !== 0,
      ])
      const one = outcomeOf(() => parsed({ ...input, ...Object.fromEntries(parts) }))
      all.canBeTrue ||= one.canBeTrue
      all.canBeFalse ||= one.canBeFalse
    }
    return all
  }
}

const IS_TRUE: Outcome = { canBeTrue: true, canBeFalse: false }
const IS_FALSE: Outcome = { canBeTrue: false, canBeFalse: true }
const CANNOT_BE_TOLD: Outcome = { canBeTrue: false, canBeFalse: false }

export function outcomeOf(evaluate: () => unknown): Outcome {
  try {
    const outcome = evaluate()
    return outcome === true ? IS_TRUE : outcome === false ? IS_FALSE : CANNOT_BE_TOLD
  } catch {
    return CANNOT_BE_TOLD
  }
}

/** Puts names in the place of the largest parts that read arguments and are true or false. Returns how many so far. */
function replaceParts(node: unknown, count: number): number {
  if (!isNode(node) || !isConnective(node)) return count
  const { args } = node as { args: unknown }
  const parts: unknown[] = Array.isArray(args) ? args : [args]
  let next = count
  for (const [index, part] of parts.entries()) {
    if (!isNode(part) || !readsArguments(pathsIn(part))) continue
    if (isConnective(part)) {
      next = replaceParts(part, next)
      continue
    }
    const name = listEnvironment.parse(partName(next % MAX_PARTS)).ast
    next += 1
    if (Array.isArray(args)) args[index] = name
    else Object.assign(node, { args: name })
  }
  return next
}

const CONNECTIVES: ReadonlySet<string> = new Set(['&&', '||', '!_', '?:'])

function isConnective({ op }: ASTNode): boolean {
  return CONNECTIVES.has(op)
}

function partName(index: number): string {
  return `argumentsPart${index}`
}

/** What nobody knows before there is a call. */
const KNOWN_IN_CALLS = ['mcp.tool.arguments', 'mcp.prompt.arguments', ATTRIBUTES]

function readsArguments(paths: ReadonlySet<string>): boolean {
  return KNOWN_IN_CALLS.some((path) => paths.has(path))
}

/** What is the same for every call of one thing by one principal. */
const REPEATED: readonly RegExp[] = [
  /^(principal|jwt|apiKey|certificate)(\.|$)/,
  /^mcp\.method$/,
  /^mcp\.(tool|prompt)\.(name|target|exposedName)$/,
  /^mcp\.tool\.annotations(\.|$)/,
]

/** Whether an expression reads nothing else. What it names in any other way than by a path may be anything. */
function readsRepeatedAlone(node: unknown): boolean {
  const path = pathOf(node)
  if (path !== undefined) return REPEATED.some((it) => it.test(path))
  if (Array.isArray(node)) return node.every(readsRepeatedAlone)
  return !isNode(node) || readsRepeatedAlone(node.args)
}

/** The paths of members that an expression reads. */
export function pathsIn(node: unknown): ReadonlySet<string> {
  const paths = new Set<string>()
  walk(node, (it) => {
    const path = pathOf(it)
    if (path !== undefined) paths.add(path)
  })
  return paths
}

function receiversIn(root: ASTNode): readonly ASTNode[] {
  const receivers: ASTNode[] = []
  walk(root, (node) => {
    const receiver = receiverOf(node)
    if (receiver !== undefined) receivers.push(receiver)
  })
  return receivers
}

function useLinearMatching(root: unknown): void {
  walk(root, ({ op, args }: { op: string; args: unknown }) => {
    if (op === 'rcall' && Array.isArray(args) && args[0] === MATCHES) args[0] = LINEAR_MATCHES
  })
}

export function walk(node: unknown, look: (node: ASTNode) => void): void {
  if (Array.isArray(node)) {
    for (const it of node) walk(it, look)
  } else if (isNode(node)) {
    look(node)
    walk(node.args, look)
  }
}

export function pathOf(node: unknown): string | undefined {
  if (!isNode(node)) return undefined
  const args: unknown = node.args
  if (node.op === 'id') return String(args)
  if (node.op !== '.' || !Array.isArray(args)) return undefined
  const base = pathOf(args[0])
  return base === undefined ? undefined : `${base}.${String(args[1])}`
}

export function isNode(value: unknown): value is ASTNode {
  return typeof value === 'object' && value !== null && 'op' in value
}

function firstLine(message: string): string {
  return message.split('\n', 1)[0] ?? ''
}
