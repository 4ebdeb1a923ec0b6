/** Who uses what, as several workers have seen it: an agent is one, whichever of them it came to. */

interface UseRow {
  readonly method: string
  readonly name: string
  readonly target: string
  readonly count: number
  readonly failed: number
  readonly denied: number
  readonly averageMs: number
  readonly averageUpstreamMs: number
  readonly lastAt: string
}

export interface AgentRow {
  readonly client: unknown
  readonly principal: { readonly id: string }
  readonly address: string
  readonly firstAt: string
  readonly lastAt: string
  readonly count: number
  readonly failed: number
  readonly denied: number
  readonly uses: readonly UseRow[]
}

/** As many as one worker shows of each. */
const MAX_USES = 101

/** Those heard of last come first, and `most` of them. */
export function mergedAgents(rows: readonly AgentRow[], most: number): readonly AgentRow[] {
  const agents = new Map<string, AgentRow>()
  for (const row of rows) {
    const key = JSON.stringify([row.client, row.principal.id, row.address])
    const known = agents.get(key)
    agents.set(key, known === undefined ? row : together(known, row))
  }
  return [...agents.values()]
    .toSorted((one, other) => (one.lastAt < other.lastAt ? 1 : -1))
    .slice(0, most)
}

function together(one: AgentRow, other: AgentRow): AgentRow {
  const newer = one.lastAt < other.lastAt ? other : one
  return {
    ...newer,
    firstAt: one.firstAt < other.firstAt ? one.firstAt : other.firstAt,
    count: one.count + other.count,
    failed: one.failed + other.failed,
    denied: one.denied + other.denied,
    uses: mergedUses([...one.uses, ...other.uses]),
  }
}

function mergedUses(rows: readonly UseRow[]): readonly UseRow[] {
  const uses = new Map<string, UseRow>()
  for (const row of rows) {
    const key = JSON.stringify([row.method, row.name, row.target])
    const known = uses.get(key)
    uses.set(key, known === undefined ? row : summed(known, row))
  }
  return [...uses.values()].toSorted((a, b) => b.count - a.count).slice(0, MAX_USES)
}

function summed(one: UseRow, other: UseRow): UseRow {
  const count = one.count + other.count
  const average = (key: 'averageMs' | 'averageUpstreamMs') =>
    (one[key] * one.count + other[key] * other.count) / count
  return {
    ...one,
    count,
    failed: one.failed + other.failed,
    denied: one.denied + other.denied,
    averageMs: average('averageMs'),
    averageUpstreamMs: average('averageUpstreamMs'),
    lastAt: one.lastAt < other.lastAt ? other.lastAt : one.lastAt,
  }
}
