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
/** Of all of them together, and then found anew. */
const MAX_USE_KEYS = 5_000
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
  readonly client: Operation['client']
  readonly principal: Operation['principal']
  readonly address: string
  readonly firstAt: number
  era: Era
  protocolVersion: string
  lastAt: number
  readonly uses: Map<string, Use>
}

export class Agents {
  readonly #agents = new LRUCache<string, Agent>({ max: MAX_AGENTS })
  /** Keys by what they are made of: joined anew for each operation, that would be most of what this costs. */
  readonly #keys = new TupleCache<string>(MAX_AGENTS)
  readonly #useKeys = new TupleCache<string>(MAX_USE_KEYS)

  add(operation: Operation): void {
    const { at, outcome, durationMs, upstreamMs, era, protocolVersion } = operation
    const agent = this.#agentOf(operation)
    agent.era = era
    agent.protocolVersion = protocolVersion
    agent.lastAt = at
    const use = this.#useOf(agent, operation)
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

  #agentOf(operation: Operation): Agent {
    const { client, principal, address, at, era, protocolVersion } = operation
    const { id } = principal
    const key =
      this.#keys.get(address, client.name, client.version, id) ??
      this.#keys.set(agentKey(operation), address, client.name, client.version, id)
    const known = this.#agents.get(key)
    if (known !== undefined) return known
    const agent: Agent = {
      client: shownClient(operation),
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

  /** Names that clients make up are one, and so is what comes when there are many. */
  #useOf({ uses }: Agent, operation: Operation): Use {
    const { method, name, isKnownName, target } = operation
    const shown = isKnownName || name === '' ? name : OTHER
    const key =
      this.#useKeys.get(shown, method, target) ??
      this.#useKeys.set(useKey(shown, method, target), shown, method, target)
    const isKept = uses.has(key) || uses.size < MAX_USES
    const known = uses.get(isKept ? key : OTHER)
    if (known !== undefined) return known
    const use = isKept
      ? { method: method.slice(0, MAX_TEXT), name: shown.slice(0, MAX_TEXT * 2), target }
      : { method: OTHER, name: OTHER, target: '' }
    const begun = { ...use, count: 0, failed: 0, denied: 0, totalMs: 0, upstreamMs: 0, lastAt: 0 }
    uses.set(isKept ? key : OTHER, begun)
    return begun
  }
}

function shownClient({ client }: Operation): Operation['client'] {
  return { name: client.name.slice(0, MAX_TEXT), version: client.version.slice(0, MAX_TEXT) }
}

/** The lengths keep apart what a client may write into its name. */
function agentKey(operation: Operation): string {
  const { name, version } = shownClient(operation)
  const { principal, address } = operation
  return `${name.length} ${version.length} ${name}${version}${principal.id} ${address}`
}

function useKey(name: string, method: string, target: string): string {
  return `${method.slice(0, MAX_TEXT)}\n${name.slice(0, MAX_TEXT * 2)}\n${target}`
}

function totalsOf(uses: readonly Use[]): object {
  const sum = (key: 'count' | 'failed' | 'denied') => uses.reduce((all, it) => all + it[key], 0)
  return { count: sum('count'), failed: sum('failed'), denied: sum('denied') }
}
