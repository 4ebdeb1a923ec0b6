/**
 * What a rule may cost. Rules are short, but what they look at comes from clients and servers: a list inside of a list
 * inside of a list is soon more work than anybody waits for, and all others wait with it.
 */
import type { ASTNode } from '@marcbachmann/cel-js'

/** For all rules of one decision, of the time in which they go through lists; honest calls take a hundredth of it. */
const MAX_MS = 40
/** A process that was not given a processor meanwhile has not worked. */
const MAX_STEP_MS = 5
/** Longer texts are matched with no pattern: the time for it is linear, and yet 100 ms for a million letters. */
export const MAX_MATCHED = 65_536

/** What goes through lists. */
const COMPREHENSIONS: ReadonlySet<string> = new Set([
  'all',
  'exists',
  'exists_one',
  'filter',
  'map',
])
export const METERED = 'metered'

/** Thrown at every further step: what catches the first of them must not go on. */
const TOO_DEAR = new Error('the rule takes too long')

let spentMs = 0
let lookedAt = 0

/** Another decision begins; none ever waits for anything. */
export function beginMetering(): void {
  spentMs = 0
  lookedAt = performance.now()
}

/** What a comprehension goes through, which throws once there were too many steps. */
export function metered(range: unknown): unknown {
  if (typeof range !== 'object' || range === null) return range
  return new Proxy(elementsOf(range), { get: step })
}

/** Text of a rule in which everything that is gone through is metered. */
export function withMeters(text: string, receivers: readonly ASTNode[]): string {
  const inserts = receivers.flatMap(({ range }) => [
    { at: range.start, what: `${METERED}(` },
    { at: range.end, what: ')' },
  ])
  let made = text
  for (const { at, what } of inserts.toSorted((a, b) => b.at - a.at)) {
    made = made.slice(0, at) + what + made.slice(at)
  }
  return made
}

/** What a node goes through; lists that stand in the rule itself are short. */
export function receiverOf({ op, args }: ASTNode): ASTNode | undefined {
  if (op !== 'rcall' || !Array.isArray(args)) return undefined
  const [name, receiver] = args as unknown as [string, ASTNode]
  return COMPREHENSIONS.has(name) && receiver.op !== 'list' ? receiver : undefined
}

function elementsOf(range: object): readonly unknown[] {
  if (Array.isArray(range)) return range
  if (range instanceof Map) return [...range.keys()]
  return range instanceof Set ? [...range] : Object.keys(range)
}

function step(elements: readonly unknown[], key: string | symbol): unknown {
  const now = performance.now()
  spentMs += Math.min(now - lookedAt, MAX_STEP_MS)
  lookedAt = now
  if (spentMs > MAX_MS) throw TOO_DEAR
  return Reflect.get(elements, key)
}
