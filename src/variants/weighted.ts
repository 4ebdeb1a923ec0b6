/**
 * One of several by weight, the same for the same key wherever it is asked (rendezvous hashing, weighted as by
 * -weight / ln(hash)). When a weight changes, those keys move that its variant gains or loses, and no others.
 */
import { createHash } from 'node:crypto'

export interface Weighted {
  readonly name: string
  readonly weight: number
}

/** `undefined` where nothing has a weight. `salt` makes the choices of several kinds independent of each other. */
export function weightedChoice<T extends Weighted>(
  candidates: readonly T[],
  salt: string,
  key: string,
): T | undefined {
  const possible = candidates.filter(({ weight }) => weight > 0)
  if (possible.length < 2) return possible[0]
  let best: T | undefined
  let highest = -Infinity
  for (const candidate of possible) {
    const score = -candidate.weight / Math.log(fractionOf(`${salt}\n${candidate.name}\n${key}`))
    if (score <= highest) continue
    best = candidate
    highest = score
  }
  return best
}

/** Above 0 and below 1. */
function fractionOf(text: string): number {
  const bits = createHash('sha256').update(text).digest().readUIntBE(0, 6)
  return (bits + 0.5) / 2 ** 48
}
