/**
 * All that discovery found, as one picture: targets, the virtual servers that resources ask for, and what is wrong.
 * Names decide: whoever writes a Service can give it any, so a name of the configuration stands, and of several that
 * were found with one name none is served.
 */
import type { Target, TargetName } from '../backends/index.js'

/** What is wrong with one thing that was found, told beside the rest and never instead of it. */
export interface Problem {
  /** What it is about, e.g. `Service shop/search`. */
  readonly object: string
  readonly message: string
  /** Nothing is refused: it may even be meant so. */
  readonly isNotice: boolean
}

/** Targets that are one virtual server beside `/mcp`, as a `Backend` resource asks for. */
export interface Group {
  /** `<namespace>/<name>` of the resource. */
  readonly name: string
  readonly targets: readonly TargetName[]
  readonly failureMode: 'open' | 'closed' | undefined
  readonly prefixMode: 'always' | 'conditional' | 'never' | undefined
}

export interface Snapshot {
  readonly targets: readonly Target[]
  readonly groups: readonly Group[]
  readonly problems: readonly Problem[]
}

export const EMPTY_SNAPSHOT: Snapshot = { targets: [], groups: [], problems: [] }

/** A target that was found. */
export interface Found {
  readonly target: Target
  /** What it was found as: the same thing found twice is one target. */
  readonly identity: string
  /** Whom to tell of problems. */
  readonly object: string
}

export interface Settled {
  /** By name, in the order in which they were found. */
  readonly targets: ReadonlyMap<TargetName, Target>
  readonly problems: readonly Problem[]
}

/** One target for each name, or none. */
export function settleNames(found: readonly Found[], taken: ReadonlySet<string>): Settled {
  const claims = new Map<TargetName, Map<string, Found>>()
  for (const it of found) {
    const { name } = it.target
    const byIdentity = claims.get(name) ?? new Map<string, Found>()
    claims.set(name, byIdentity)
    if (!byIdentity.has(it.identity)) byIdentity.set(it.identity, it)
  }
  const targets = new Map<TargetName, Target>()
  const problems: Problem[] = []
  for (const [name, byIdentity] of claims) {
    const rivals = [...byIdentity.values()]
    const [only] = rivals
    if (taken.has(name)) {
      const message = `the name "${name}" is taken by a target of the configuration`
      for (const { object } of rivals) problems.push({ object, message, isNotice: false })
    } else if (rivals.length === 1 && only !== undefined) {
      targets.set(name, only.target)
    } else {
      for (const rival of rivals) problems.push(nameProblem(rival, rivals))
    }
  }
  return { targets, problems }
}

const MAX_NAMED = 5

function nameProblem(rival: Found, rivals: readonly Found[]): Problem {
  const others = rivals.filter((it) => it !== rival).map((it) => it.object)
  const named = [...new Set(others)].slice(0, MAX_NAMED).join(', ')
  const { name } = rival.target
  return {
    object: rival.object,
    message: `the name "${name}" is also that of ${named}; none of them is served`,
    isNotice: false,
  }
}
