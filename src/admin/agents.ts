/** Who uses what: one entry for each client, principal and address, and in it one for each thing that it uses. */
import { LRUCache } from 'lru-cache'
import type { Era } from '../../backends/index.js'
import { OTHER } from '../telemetry/bounded-labels.js'
import type { Operation } from '../telemetry/operations.js'
import { TupleCache } from '../telemetry/tuple-cache.js'

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
  readonly key: string
  readonly client: Operation['client']
  readonly principal: Operation['principal']
  readonly address: string
  readonly firstAt: number
  era: Era
  protocolVersion: string
  lastAt: number
  readonly uses: Map<string, Use>
  /** The same by what operations say, which need not be joined to a key for it. */
  readonly found: TupleCache<Use>
}

export class Agents {
  readonly #agents = new LRUCache<string, Agent>({ max: MAX_AGENTS })
  readonly #found = new TupleCache<Agent>(MAX_AGENTS)

  add(operation: Operation): void {
    const { at, outcome, durationMs, upstreamMs, era, protocolVersion } = operation
    const agent = this.#agentOf(operation)
    agent.era = era
    agent.protocolVersion = protocolVersion
    agent.lastAt = at
    const use = useOf(agent, operation)
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
      key: undefined,
      found: undefined,
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

  #agentOf(operation: Operation): Agent {
    const { client, principal, address } = operation
    const found = this.#found.get(address, client.name, client.version, principal.id)
    // The look puts it among those heard of last.
    if (found !== undefined && this.#agents.get(found.key) === found) return found
    const agent = this.#kept(operation)
    return this.#found.set(agent, address, client.name, client.version, principal.id)
  }

  #kept({ client, principal, address, at, era, protocolVersion }: Operation): Agent {
    const name = client.name.slice(0, MAX_TEXT)
    const version = client.version.slice(0, MAX_TEXT)
    // The lengths keep apart what a client may write into its name.
    const key = `${name.length} ${version.length} ${name}${version}${principal.id} ${address}`
    const known = this.#agents.get(key)
    if (known !== undefined) return known
    const agent: Agent = {
      key,
      client: { name, version },
      principal: { ...principal, name: principal.name.slice(0, MAX_TEXT) },
      address,
      era,
      protocolVersion,
      firstAt: at,
      lastAt: at,
      uses: new Map(),
      found: new TupleCache(MAX_USES),
    }
    this.#agents.set(key, agent)
    return agent
  }
}

function useOf(agent: Agent, operation: Operation): Use {
  const { method, name, isKnownName, target } = operation
  if (!isKnownName && name !== '') return keptUse(agent, operation)
  const found = agent.found.get(name, method, target)
  return found ?? agent.found.set(keptUse(agent, operation), name, method, target)
}

/** Names that clients make up are one, and so is what comes when there are many. */
function keptUse({ uses }: Agent, { method, name, isKnownName, target }: Operation): Use {
  const shown = isKnownName || name === '' ? name.slice(0, MAX_TEXT * 2) : OTHER
  const key = `${method.slice(0, MAX_TEXT)}\n${shown}\n${target}`
  const isKept = uses.has(key) || uses.size < MAX_USES
  const [kept, use] = isKept
    ? [key, { method: method.slice(0, MAX_TEXT), name: shown, target }]
    : [OTHER, { method: OTHER, name: OTHER, target: '' }]
  const known = uses.get(kept)
  if (known !== undefined) return known
  const begun = { ...use, count: 0, failed: 0, denied: 0, totalMs: 0, upstreamMs: 0, lastAt: 0 }
  uses.set(kept, begun)
  return begun
}

function totalsOf(uses: readonly Use[]): object {
  const sum = (key: 'count' | 'failed' | 'denied') => uses.reduce((all, it) => all + it[key], 0)
  return { count: sum('count'), failed: sum('failed'), denied: sum('denied') }
}
