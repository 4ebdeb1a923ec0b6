/** Who uses what: one entry for each client, principal and address, and in it one for each thing that it uses. */
import { LRUCache } from 'lru-cache'
import type { Era } from '../../backends/index.js'
import { OTHER } from '../telemetry/bounded-labels.js'
import type { OperationKind } from '../telemetry/operation-kind.js'
import { Facet } from '../telemetry/operation-kind.js'
import type { Operation } from '../telemetry/operations.js'

/** Clients choose what they call themselves, so there is no end to them; those heard of last are kept. */
const MAX_AGENTS = 500
/** Of each; what comes after is one entry. */
const MAX_USES = 100
const MAX_TEXT = 128

interface Use {
  method: string
  name: string
  target: string
  count: number
  failed: number
  denied: number
  totalMs: number
  upstreamMs: number
  lastAt: number
}

interface Agent {
  readonly client: OperationKind['client']
  readonly principal: OperationKind['principal']
  readonly address: string
  readonly firstAt: number
  era: Era
  protocolVersion: string
  lastAt: number
  readonly uses: Map<string, Use>
}

export class Agents {
  readonly #agents = new LRUCache<string, Agent>({ max: MAX_AGENTS })

  add({ kind, at, durationMs, upstreamMs }: Operation): void {
    const { outcome, era, protocolVersion } = kind
    const keys = KEYS.of(kind)
    const agent = this.#agentOf(kind, keys.agent, at)
    agent.era = era
    agent.protocolVersion = protocolVersion
    agent.lastAt = at
    const use = useOf(agent, kind, keys.use)
    use.count++
    use.totalMs += durationMs
    use.upstreamMs += upstreamMs
    use.lastAt = at
    if (outcome === 'failed') use.failed++
    else if (outcome === 'denied' || outcome === 'limited') use.denied++
  }

  /** `/api/v1/agents`: those heard of last come first. */
  report(): object {
    const agents = [...this.#agents.values()].map(({ uses, firstAt, lastAt, ...agent }) => ({
      ...agent,
      firstAt: new Date(firstAt).toISOString(),
      lastAt: new Date(lastAt).toISOString(),
      ...totalsOf([...uses.values()]),
      uses: [...uses.values()]
        .toSorted((a, b) => b.count - a.count)
        .map(({ totalMs, upstreamMs, lastAt: usedAt, ...use }) => ({
          ...use,
          averageMs: totalMs / use.count,
          averageUpstreamMs: upstreamMs / use.count,
          lastAt: new Date(usedAt).toISOString(),
        })),
    }))
    return { agents, kept: MAX_AGENTS }
  }

  #agentOf(kind: OperationKind, key: string, at: number): Agent {
    const known = this.#agents.get(key)
    if (known !== undefined) return known
    const { principal, address, era, protocolVersion } = kind
    const agent: Agent = {
      client: shownClient(kind),
      principal: { ...principal, name: principal.name.slice(0, MAX_TEXT) },
      address,
      era,
      protocolVersion,
      firstAt: at,
      lastAt: at,
      uses: new Map(),
    }
    this.#agents.set(key, agent)
    return agent
  }
}

/** Names that clients make up are one, and so is what comes when there are many. */
function useOf({ uses }: Agent, kind: OperationKind, key: string): Use {
  const known = uses.get(key)
  if (known !== undefined) return known
  const isKept = uses.size < MAX_USES
  const other = isKept ? undefined : uses.get(OTHER)
  if (other !== undefined) return other
  const { method, target } = kind
  const name = shownName(kind)
  const use = isKept
    ? { method: method.slice(0, MAX_TEXT), name: name.slice(0, MAX_TEXT * 2), target }
    : { method: OTHER, name: OTHER, target: '' }
  const begun = { ...use, count: 0, failed: 0, denied: 0, totalMs: 0, upstreamMs: 0, lastAt: 0 }
  uses.set(isKept ? key : OTHER, begun)
  return begun
}

const KEYS = new Facet((kind) => ({ agent: agentKey(kind), use: useKey(kind) }))

function shownName({ name, isKnownName }: OperationKind): string {
  return isKnownName || name === '' ? name : OTHER
}

function shownClient({ client }: OperationKind): OperationKind['client'] {
  return { name: client.name.slice(0, MAX_TEXT), version: client.version.slice(0, MAX_TEXT) }
}

/** The lengths keep apart what a client may write into its name. */
function agentKey(kind: OperationKind): string {
  const { name, version } = shownClient(kind)
  const { principal, address } = kind
  return `${name.length} ${version.length} ${name}${version}${principal.id} ${address}`
}

function useKey(kind: OperationKind): string {
  const { method, target } = kind
  return `${method.slice(0, MAX_TEXT)}\n${shownName(kind).slice(0, MAX_TEXT * 2)}\n${target}`
}

function totalsOf(uses: readonly Use[]): object {
  const sum = (key: 'count' | 'failed' | 'denied') => uses.reduce((all, it) => all + it[key], 0)
  return { count: sum('count'), failed: sum('failed'), denied: sum('denied') }
}
