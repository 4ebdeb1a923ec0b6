/** What was denied to whom, and by which rule, scope or limit. */
import type { Denial } from '../auth/policy.js'
import type { Principal } from '../auth/principal.js'
import type { Use } from '../limits/limiter.js'
import { Newest } from './newest.js'

/** As `/api/v1/denials` has it. */
export interface Refusal {
  readonly at: string
  readonly reason: 'rule' | 'scope' | 'limit'
  /** The text of the rule, the scopes that are needed, or what the limit is of. */
  readonly by: string
  readonly principal: { readonly id: string; readonly kind: string; readonly name: string }
  readonly client: { readonly name: string; readonly version: string }
  readonly address: string
  readonly method: string
  readonly kind: string
  /** As clients know it. */
  readonly name: string
  readonly target: string
}

const MAX_REFUSALS = 500
const MAX_TEXT = 256
const NO_CLIENT = { name: '', version: '' }

type Caller = Pick<Refusal, 'client' | 'address'> & { readonly principal: Principal }

export class Refusals {
  readonly newest = new Newest<Refusal>(MAX_REFUSALS)

  denied({ principal, client, address, method, item, rule }: Denial): void {
    const { kind, exposedName: name, target } = item
    const by = rule ?? 'no rule allows it'
    this.#add({ reason: 'rule', by, method, kind, name, target }, { principal, client, address })
  }

  /** A call whose token does not reach as far. */
  lackedScopes(caller: Caller, tool: string, why: string): void {
    const what = { reason: 'scope', by: why, kind: 'tool', name: tool, target: '' } as const
    this.#add({ ...what, method: 'tools/call' }, caller)
  }

  limited(principal: Principal, use: Use, reason: string): void {
    const { method, address, tool, target } = use
    const kind = method === 'tools/call' ? 'tool' : ''
    const what = { reason: 'limit', by: reason, method, kind, name: tool, target } as const
    this.#add(what, { principal, address, client: NO_CLIENT })
  }

  #add(
    what: Pick<Refusal, 'reason' | 'by' | 'method' | 'kind' | 'name' | 'target'>,
    { principal: { id, kind, name }, client, address }: Caller,
  ): void {
    const { name: clientName, version } = client
    this.newest.add({
      at: new Date().toISOString(),
      ...what,
      name: what.name.slice(0, MAX_TEXT),
      principal: { id, kind, name: name.slice(0, MAX_TEXT) },
      client: { name: clientName.slice(0, MAX_TEXT), version: version.slice(0, MAX_TEXT) },
      address,
    })
  }
}
