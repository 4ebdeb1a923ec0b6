/** What a `Backend` resource's author wants to know of it, as conditions: one for each question. */
import type { TargetName } from '../../backends/index.js'
import type { PartFindings, ResourceFindings } from './picture.js'

/** How a target is, as far as its author wants to know. */
export interface TargetHealth {
  readonly isReachable: boolean
  /** Why it is not. */
  readonly reason?: string
  /** How many tools it has. */
  readonly tools: number
}

export type Health = ReadonlyMap<TargetName, TargetHealth>

export interface Condition {
  readonly type: 'Accepted' | 'ResolvedRefs' | 'Discovered' | 'Reachable'
  readonly status: 'True' | 'False' | 'Unknown'
  readonly reason: string
  readonly message: string
}

export function conditionsOf({ resource, parts }: ResourceFindings, health: Health): Condition[] {
  const { refusal } = resource
  const invalid = parts.flatMap(({ name, refusals }) =>
    refusals.flatMap((it) => (it.isUnresolved ? [] : `${name}: ${it.reason}`)),
  )
  const unresolved = parts.flatMap(({ name, refusals }) =>
    refusals.flatMap((it) => (it.isUnresolved ? `${name}: ${it.reason}` : [])),
  )
  const targets = [...new Set(parts.flatMap((it) => it.targets))]
  const isAccepted = refusal === undefined && (invalid.length === 0 || targets.length > 0)
  const accepted = invalid.length === 0 ? 'accepted' : `accepted without ${invalid.join('; ')}`
  return [
    {
      type: 'Accepted',
      status: isAccepted ? 'True' : 'False',
      reason: isAccepted ? (invalid.length === 0 ? 'Accepted' : 'PartiallyAccepted') : 'Invalid',
      message: refusal ?? (isAccepted ? accepted : invalid.join('; ')),
    },
    {
      type: 'ResolvedRefs',
      status: unresolved.length === 0 ? 'True' : 'False',
      reason: unresolved.length === 0 ? 'ResolvedRefs' : 'RefNotFound',
      message: unresolved.length === 0 ? 'all references resolved' : unresolved.join('; '),
    },
    {
      type: 'Discovered',
      status: targets.length > 0 ? 'True' : 'False',
      reason: targets.length > 0 ? 'TargetsFound' : 'NoTargets',
      message: [countOf(targets.length, 'target'), ...parts.map(partText)].join('; '),
    },
    reachable(targets, health),
  ]
}

function reachable(targets: readonly TargetName[], health: Health): Condition {
  const up = targets.filter((name) => health.get(name)?.isReachable === true)
  const unknown = targets.filter((name) => !health.has(name))
  const each = targets.map((name) => {
    const it = health.get(name)
    if (it === undefined) return `${name}: not tried yet`
    return it.isReachable
      ? `${name}: ${countOf(it.tools, 'tool')}`
      : `${name}: ${it.reason ?? 'down'}`
  })
  const isAll = targets.length > 0 && up.length === targets.length
  const isUnknown = !isAll && unknown.length > 0
  return {
    type: 'Reachable',
    status: isAll ? 'True' : isUnknown ? 'Unknown' : 'False',
    reason: isAll ? 'AllReachable' : isUnknown ? 'Connecting' : 'NotAllReachable',
    message: [`${up.length} of ${countOf(targets.length, 'target')} reachable`, ...each].join('; '),
  }
}

function partText({ name, targets }: PartFindings): string {
  return `${name}: ${targets.length === 0 ? 'none' : targets.join(', ')}`
}

function countOf(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`
}
